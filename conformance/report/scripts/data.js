// The data of the page: blocks of compressed JSON, each decoded when it is first asked for.

const decoded = new Map();

/** What the block of that id holds. */
export function block(id) {
  if (!decoded.has(id)) decoded.set(id, decode(document.getElementById(id)));
  return decoded.get(id);
}

async function decode(element) {
  const text = element.textContent.trim();
  const bytes = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** The outcomes of the run in columns, and what is asked of them again and again. */
export class Run {
  constructor(summary) {
    Object.assign(this, summary);
    const { outcomes, adapters, phases, operations } = this;
    this.size = outcomes.case.length;
    this.rows = new Map(); // a case in a phase, with its outcomes
    this.casesOf = operations.map(() => []);
    this.operationOf.forEach((operation, index) => this.casesOf[operation].push(index));
    for (let index = 0; index < this.size; index++) {
      const key = outcomes.case[index] * phases.length + outcomes.phase[index];
      if (!this.rows.has(key)) this.rows.set(key, []);
      this.rows.get(key).push(index);
    }
    this.place = new Map(adapters.map((name, index) => [name, index]));
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
    return value === -1 ? Infinity : value;
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

  /** The outcomes of a case, in the order of the run. */
  outcomesOf(caseIndex) {
    return this.phases.flatMap((_, phase) => this.rows.get(caseIndex * this.phases.length + phase) ?? []);
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
