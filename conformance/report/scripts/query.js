// The query language: terms that must all hold.  `torch:deviates keras:conforms @adam !text ratio>10 declared:no`

/** A query that cannot be understood; the message says what was expected. */
export class QueryError extends Error {}

const FIELDS = ["case", "declared", "dialect", "family", "message", "phase", "verdict"];

/** The terms of a query as they are written: words, or "several words" in quotes. */
export function terms(query) {
  return query.match(/[^\s"]*"[^"]*"?|\S+/g) ?? [];
}

/** A query with a term added, or without it if it is there. */
export function toggled(query, term) {
  const known = terms(query);
  const rest = known.filter((each) => each !== term);
  return (rest.length < known.length ? rest : [...known, term]).join(" ");
}

/**
 * Which outcomes stay: those of every case and phase in which each term holds.  A term that names an adapter is about
 * that adapter's outcome; all others must hold of one outcome together, of one of the adapters named if there are any.
 */
export function select(run, query) {
  const parsed = terms(query).map((term) => parse(run, term));
  const named = parsed.filter((term) => term.adapters);
  const others = parsed.filter((term) => !term.adapters);
  const wanted = named.filter((term) => !term.negated).map((term) => term.adapters);
  const { adapter } = run.outcomes;
  const found = [];
  for (const row of run.rows.values()) {
    const holds = named.every((term) => row.some((each) => term.adapters.has(adapter[each]) && term.test(each)) !== term.negated);
    if (!holds) continue;
    const asked = wanted.length ? row.filter((each) => wanted.some((names) => names.has(adapter[each]))) : row;
    if (others.length && !asked.some((each) => others.every((term) => term.test(each) !== term.negated))) continue;
    found.push(...row);
  }
  return found;
}

function parse(run, term) {
  const negated = term.startsWith("!");
  const text = (negated ? term.slice(1) : term).replaceAll('"', "");
  if (!text) throw new QueryError(`${term}: expected something to look for`);
  const ratio = /^ratio(>=|<=|>|<|=)(.*)$/.exec(text);
  if (ratio) return { negated, test: ratioTest(run, ratio[1], ratio[2]) };
  if (text.startsWith("@")) return { negated, test: operationTest(run, text.slice(1).toLowerCase()) };
  const colon = text.indexOf(":");
  if (colon <= 0) return { negated, test: textTest(run, ["case", "dialect", "message"], text) };
  const field = text.slice(0, colon);
  if (FIELDS.includes(field)) return { negated, test: fieldTest(run, field, text.slice(colon + 1)) };
  for (let end = text.length; (end = text.lastIndexOf(":", end - 1)) > 0; ) {
    const adapters = named(run, text.slice(0, end)); // an adapter of one's own has a colon in its name
    if (adapters.size) return { negated, adapters, test: adapterTest(run, text.slice(end + 1)) };
  }
  throw new QueryError(`${field}: there is no such adapter or field; fields are ${FIELDS.join(", ")}, ratio`);
}

function named(run, pattern) {
  const glob = new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
  return new Set(run.adapters.flatMap((name, index) => (glob.test(name) ? [index] : [])));
}

function adapterTest(run, value) {
  if (!value) return () => true;
  if (/^(un)?declared$/.test(value)) return fieldTest(run, "declared", value === "declared" ? "yes" : "no");
  if (run.verdicts.some((verdict) => verdict.name === value)) return fieldTest(run, "verdict", value);
  return textTest(run, ["dialect", "message"], value);
}

function ratioTest(run, relation, text) {
  const limit = Number(text);
  if (text === "" || Number.isNaN(limit)) throw new QueryError(`ratio${relation}${text}: expected a number, as in ratio>10`);
  const holds = {
    ">": (ratio) => ratio > limit,
    ">=": (ratio) => ratio >= limit,
    "<": (ratio) => ratio < limit,
    "<=": (ratio) => ratio <= limit,
    "=": (ratio) => ratio === limit,
  }[relation];
  return (index) => run.ratio(index) !== null && holds(run.ratio(index));
}

function operationTest(run, name) {
  const names = run.operations.map((each) => each.name);
  const matching = names.map(names.includes(name) ? (each) => each === name : (each) => each.includes(name));
  return (index) => matching[run.operationOf[run.outcomes.case[index]]];
}

function fieldTest(run, name, value) {
  const { outcomes, verdicts, phases, operations, operationOf } = run;
  const text = value.toLowerCase();
  if (name === "declared") {
    const wanted = choice(name, text, { yes: 1, no: 0 });
    return (index) => outcomes.declared[index] === wanted;
  }
  if (name === "verdict") {
    const wanted = choice(name, text, Object.fromEntries(verdicts.map((each, place) => [each.name, place])));
    return (index) => outcomes.verdict[index] === wanted;
  }
  if (name === "phase") {
    const wanted = choice(name, text, Object.fromEntries(phases.map((each, place) => [each.toLowerCase(), place])));
    return (index) => outcomes.phase[index] === wanted;
  }
  if (name === "family") return (index) => operations[operationOf[outcomes.case[index]]].family.toLowerCase() === text;
  return textTest(run, [name], value);
}

function choice(name, text, values) {
  if (!Object.hasOwn(values, text)) throw new QueryError(`${name}:${text}: expected one of ${Object.keys(values).join(", ")}`);
  return values[text];
}

function textTest(run, columns, value) {
  const text = value.toLowerCase();
  const found = columns.map((name) => [run.outcomes[name], run.texts[name].map((each) => each.includes(text))]);
  return (index) => found.some(([column, matches]) => matches[column[index]]);
}
