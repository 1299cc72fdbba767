// What is known of a run: its outcomes in columns, and of each operation the details.

/** The outcomes of the run in columns, and what is asked of them again and again. */
export class Run {
  constructor(summary) {
    Object.assign(this, summary);
    const { outcomes, phases, operations } = this;
    this.size = outcomes.case.length;
    this.rows = new Map(); // a case in a phase, with its outcomes
    this.casesOf = operations.map(() => []);
    this.operationOf.forEach((operation, index) => this.casesOf[operation].push(index));
    for (let index = 0; index < this.size; index++) {
      const key = outcomes.case[index] * phases.length + outcomes.phase[index];
      if (!this.rows.has(key)) this.rows.set(key, []);
      this.rows.get(key).push(index);
    }
    this.caseIndex = new Map(this.cases.map((name, index) => [name, index]));
    this.texts = {
      case: this.cases.map((name) => name.toLowerCase()),
      dialect: this.dialects.map((text) => text.toLowerCase()),
      message: this.messages.map((text) => text.toLowerCase()),
    };
  }

  /** The operation of a case. */
  operation(caseIndex) {
    return this.operations[this.operationOf[caseIndex]];
  }

  verdict(index) {
    return this.verdicts[this.outcomes.verdict[index]];
  }

  /** The error ratio; null if nothing was measured. */
  ratio(index) {
    const value = this.outcomes.ratio[index];
    return Number.isNaN(value) ? Infinity : value;
  }

  /** Whether one outcome is to be looked at before another. */
  graver(one, other) {
    const { declared, verdict, ratio } = this.outcomes;
    if (declared[one] !== declared[other]) return declared[one] < declared[other];
    const weight = this.verdicts[verdict[one]].weight - this.verdicts[verdict[other]].weight;
    if (weight) return weight > 0;
    return (this.ratio(one) ?? -1) > (this.ratio(other) ?? -1);
  }

  gravest(indices) {
    return indices.reduce((best, index) => (this.graver(index, best) ? index : best));
  }

  verdictNamed(name) {
    return this.verdicts.find((each) => each.name === name);
  }

  /** The tensor to look at first: that of the gravest verdict, and of the largest error ratio. */
  worst(tensors) {
    const size = ({ published, error_ratio }) => (Number.isNaN(published ?? error_ratio) ? Infinity : (published ?? error_ratio));
    const heavier = (one, other) => this.verdictNamed(one.verdict).weight - this.verdictNamed(other.verdict).weight || size(one) - size(other);
    return tensors.reduce((worst, each) => (heavier(each, worst) > 0 ? each : worst));
  }

  /** The outcomes of a case, in the order of the run. */
  outcomesOf(caseIndex) {
    return this.phases.flatMap((_, phase) => this.rows.get(caseIndex * this.phases.length + phase) ?? []).sort((one, other) => one - other);
  }

  /** How many adapters deviate in a case, or are not as declared. */
  disagreement(indices) {
    const { declared, adapter } = this.outcomes;
    return new Set(indices.filter((each) => !this.verdict(each).quiet || !declared[each]).map((each) => adapter[each])).size;
  }

  /** What an outcome is, in words. */
  words(index) {
    const { adapter, phase, declared } = this.outcomes;
    const flag = declared[index] ? "" : ", not as declared";
    return `${this.adapters[adapter[index]]}, ${this.phases[phase[index]]}: ${this.verdict(index).name}${flag}`;
  }
}

/** The details of an operation, from the tables in which they are kept: outcomes in the run's order, case by case. */
export class Details {
  constructor(kept, { operations, ...texts }, operation) {
    Object.assign(this, texts, operations[operation]);
    const [kinds, findings, outcomes, tensors, elements] = [kept.kinds, kept.findings, kept.outcomes, kept.tensors, kept.elements].map(rowsOf);
    const place = { error: 0, half: 0, element: 0, tensor: 0, outcome: 0 };
    const next = (rows, which, count) => rows.slice(place[which], (place[which] += count ?? 0));
    for (const tensor of tensors) {
      Object.assign(tensor, kinds[tensor.kind], findings[tensor.finding]);
      const size = tensor.errors && tensor.shape.reduce((product, each) => product * each, 1);
      tensor.errors = tensor.verdict === "conforms" ? next(kept.halves, "half", size) : next(kept.errors, "error", size);
      tensor.actual = tensor.ulps === null ? tensor.actual : moved(tensor.expected, tensor.ulps, tensor.dtype);
      tensor.elements = next(elements, "element", tensor.elements);
      tensor.place ??= tensor.elements[0]?.place ?? null;
      tensor.index = tensor.place === null ? null : unravelled(tensor.place, tensor.shape);
      tensor.elements.forEach((each, rank) => complete(each, tensor, rank));
    }
    this.cases = new Map(this.cases.map(([name, about]) => [name, { ...about }]));
    for (const about of this.cases.values()) {
      about.outcomes = next(outcomes, "outcome", about.outcomes);
      for (const each of about.outcomes) each.tensors = next(tensors, "tensor", each.tensors);
    }
  }
}

/** A script or a function, from the places of its paragraphs; undefined if there is none. */
export function textOf({ paragraphs }, places) {
  return places?.map((place) => paragraphs[place]).join("\n\n");
}

/** The number of a format that lies so many of its numbers farther. */
function moved(value, ulps, dtype) {
  const [floats, places, step] = dtype === "float32" ? [new Float32Array(1), Int32Array, ulps] : [new Float64Array(1), BigInt64Array, BigInt(ulps)];
  floats[0] = value;
  new places(floats.buffer)[0] += step;
  return floats[0];
}

/** What an element is, from what is kept of it; of the worst, the tensor keeps all digits. */
function complete(element, tensor, rank) {
  element.index = unravelled(element.place, tensor.shape);
  element.expected = Number(rank ? element.expected : tensor.expected);
  element.digits = digitsOf(element, tensor);
  element.actual = rank ? Number(element.actual ?? sum(element)) : Number(tensor.actual);
  const ratio = element.difference / element.bound; // from two digits of the bound; the map's, if it is not small
  element.ratio = Math.abs(ratio) < 1 || !tensor.errors.length ? Number(ratio.toPrecision(1)) : tensor.errors[element.place];
}

/** How many digits of a value it takes to show a difference from it, which is as many as are kept. */
function digitsOf({ expected, difference }, { dtype }) {
  if (!expected || !difference || !Number.isFinite(difference)) return 6;
  return Math.min(dtype === "float32" ? 9 : 17, Math.max(6, 2 + Math.ceil(Math.log10(Math.abs(expected)) - Math.log10(Math.abs(difference)))));
}

/** The actual value, with no more decimals than the expected one and the difference are known to. */
function sum({ expected, difference, digits }) {
  const known = Math.min(decimals(expected, digits), decimals(difference, 3));
  return known > 100 ? expected + difference : Number((expected + difference).toFixed(Math.max(0, known)));
}

function decimals(value, digits) {
  return value ? digits - 1 - Math.floor(Math.log10(Math.abs(value))) : Infinity;
}

function unravelled(place, shape) {
  return shape.reduceRight(([rest, index], size) => [Math.floor(rest / size), [rest % size, ...index]], [place, []])[1];
}

/** The rows of a table that is kept by columns. */
function rowsOf(columns) {
  const entries = Object.entries(columns);
  return entries[0][1].map((_, row) => Object.fromEntries(entries.map(([name, column]) => [name, column[row]])));
}
