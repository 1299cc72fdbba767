// The overview: the matrix, the causes and the list of cases, as far as the query leaves them.

import { outcomeAddress } from "./address.js";
import { h } from "./elements.js";
import { briefPower, plural } from "./numbers.js";
import { terms, toggled } from "./query.js";

const AT_ONCE = 25;
const HEIGHT = 30; // of a row, with its share of the families' names, in pixels

/** How the list of cases may be sorted; each gives a key, the smallest first. */
export const SORTS = {
  disagreement: { label: "most adapters disagree", key: (run, entry) => -entry.disagreement },
  ratio: { label: "largest error ratio", key: (run, entry) => -Math.max(...entry.indices.map((each) => run.ratio(each) ?? -1)) },
  name: { label: "name", key: () => 0 },
};

/** The matrix of the page, whose cells are those that Python has written. */
export class Matrix {
  constructor(run, table) {
    this.run = run;
    this.bodies = [...(table?.tBodies ?? [])];
    this.rows = this.bodies.flatMap((body) => [...body.querySelectorAll("tr[data-operation]")]).map((row) => ({
      row,
      cells: [...row.querySelectorAll("td")],
      shown: [],
    }));
    const place = new Map(this.rows.map(({ row }, index) => [row.dataset.operation, index]));
    this.rowOf = run.cases.map((_, index) => place.get(run.operation(index).name));
    if (table) keepHeadInSight(table);
    table?.addEventListener("pointerover", ({ target }) => this.#explain(target.closest("td a")));
    table?.addEventListener("focusin", ({ target }) => this.#explain(target.closest("td a")));
  }

  /**
   * Show the outcomes of these indices, and nothing of what is not among them.  What fills a screen is there at once;
   * if there are rows below, they come in the frames that follow: then this is a promise.
   */
  show(indices) {
    const leading = this.#leading(indices);
    const later = [];
    const most = Math.max(5, Math.ceil(innerHeight / HEIGHT));
    let room = most;
    this.rows.forEach((entry, place) => {
      if (!leading[place].length) entry.row.hidden = true;
      else if (!entry.row.hidden || room-- > 0) this.#showRow(entry, leading[place]);
      else later.push([entry, leading[place]]);
    });
    this.#hideFamilies();
    this.later = later;
    return later.length ? this.#showLater(later, most) : null;
  }

  async #showLater(rows, most) {
    while (rows.length) {
      await nextFrame();
      if (this.later !== rows) return; // somebody asks for others
      for (const [entry, leading] of rows.splice(0, most)) this.#showRow(entry, leading);
      this.#hideFamilies();
    }
  }

  /** Of each row the gravest outcome in each column. */
  #leading(indices) {
    const { run, rowOf } = this;
    const { adapter, phase, case: cases } = run.outcomes;
    const width = run.phases.length;
    const leading = this.rows.map(() => []);
    for (const index of indices) {
      const row = leading[rowOf[cases[index]]];
      const column = adapter[index] * width + phase[index];
      if (row[column] === undefined || run.graver(index, row[column])) row[column] = index;
    }
    return leading;
  }

  #hideFamilies() {
    for (const body of this.bodies) body.hidden = [...body.rows].slice(1).every((row) => row.hidden);
  }

  #showRow(entry, leading) {
    entry.row.hidden = false;
    entry.cells.forEach((cell, column) => {
      if (entry.shown[column] === (leading[column] ?? null)) return;
      entry.shown[column] = leading[column] ?? null;
      this.#showCell(cell, leading[column]);
    });
  }

  #showCell(cell, index) {
    if (index === undefined) {
      cell.className = "";
      cell.removeAttribute("title");
      cell.replaceChildren();
      return;
    }
    const { run } = this;
    const { name, glyph } = run.verdict(index);
    const declared = run.outcomes.declared[index];
    cell.className = declared ? name : `${name} flagged`;
    let link = cell.firstElementChild;
    if (link?.tagName !== "A") {
      cell.removeAttribute("title");
      cell.replaceChildren((link = h("a", null, " ")));
    }
    link.index = index;
    link.href = outcomeAddress(run, index);
    link.ariaLabel = `${name} ${briefPower(run.ratio(index))}${declared ? "" : ", not as declared"}`;
    link.firstChild.data = `${glyph} ${briefPower(run.ratio(index))}${declared ? "" : ` ${run.flag}`}`;
  }

  /** Whoever points at a cell is told what it is: thousands of titles would take their time. */
  #explain(link) {
    if (link) link.title = `${this.run.words(link.index)}; ${this.run.cases[this.run.outcomes.case[link.index]]}`;
  }
}

/** When the next frame has been painted; in a window that paints none, soon. */
function nextFrame() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 100);
  });
}

/** The head stays in sight: of a table that fits, under that of the page; any other scrolls by itself. */
function keepHeadInSight(table) {
  const frame = table.parentElement;
  const head = document.querySelector("header.site");
  new ResizeObserver(() => {
    frame.classList.toggle("fits", table.offsetWidth <= frame.clientWidth);
    frame.style.setProperty("--head", getComputedStyle(head).position === "sticky" ? `${head.offsetHeight}px` : "0");
  }).observe(frame);
}

/** The cases of these outcomes, as they are sorted: those first in which something is to be seen. */
export function entries(run, indices, sort) {
  const found = new Map();
  for (const index of indices) {
    const name = run.outcomes.case[index];
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(index);
  }
  const made = [...found].map(([name, each]) => ({ name, indices: each, disagreement: run.disagreement(each) }));
  const { key } = Object.hasOwn(SORTS, sort) ? SORTS[sort] : SORTS.disagreement;
  const keys = new Map(made.map((entry) => [entry, key(run, entry)]));
  return made.sort((one, other) => keys.get(one) - keys.get(other) || compareNames(run.cases[one.name], run.cases[other.name]));
}

function compareNames(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The list of cases: the loud ones, and folded those in which everybody conforms. */
export function caseList(run, found) {
  const loud = found.filter((entry) => entry.disagreement);
  const quiet = found.filter((entry) => !entry.disagreement);
  if (!quiet.length) return [pieces(run, loud)];
  const folded = h("details", { class: "quiet", toggle: () => folded.children.length > 1 || folded.append(pieces(run, quiet)) },
    h("summary", null, `${plural(quiet.length, "case")} without a deviation`));
  return [pieces(run, loud), folded];
}

/** A list that grows by a piece at a time. */
function pieces(run, rows) {
  const list = h("ol", { class: "cases" });
  const more = h("button", { type: "button", class: "more", click: grow });
  function grow() {
    const next = rows.slice(list.childElementCount, list.childElementCount + AT_ONCE);
    list.append(...next.map((entry) => h("li", null, caseLine(run, entry))));
    const left = rows.length - list.childElementCount;
    more.hidden = !left;
    more.textContent = `Show ${Math.min(left, AT_ONCE)} of ${left.toLocaleString("en")} more`;
  }
  grow();
  return h("div", null, list, more);
}

function caseLine(run, { name, indices }) {
  const worst = run.gravest(indices);
  const byAdapter = new Map();
  for (const index of indices) {
    const key = run.outcomes.adapter[index];
    byAdapter.set(key, byAdapter.has(key) ? run.gravest([byAdapter.get(key), index]) : index);
  }
  const shown = [...byAdapter.values()];
  const quiet = shown.filter((index) => run.verdict(index).quiet && run.outcomes.declared[index]);
  return [
    h("a", { class: "name", href: outcomeAddress(run, worst) }, breakable(run.cases[name])),
    h("span", { class: "chips" },
      shown.filter((index) => !quiet.includes(index)).map((index) => chip(run, index)),
      counts(run, quiet)),
  ];
}

function counts(run, indices) {
  const found = run.verdicts.map((verdict) => [verdict, indices.filter((index) => run.verdict(index) === verdict).length]);
  return found.filter(([, number]) => number).map(([{ name, glyph }, number]) =>
    h("span", { class: `verdict ${name}`, title: name }, `${glyph} ${number}`, h("span", { class: "hidden" }, ` ${name}`)));
}

function chip(run, index) {
  const verdict = run.verdict(index);
  const declared = run.outcomes.declared[index];
  return h("a", { class: `verdict ${verdict.name}`, href: outcomeAddress(run, index), title: run.words(index) },
    h("span", { "aria-hidden": "true" }, verdict.glyph), ` ${run.adapters[run.outcomes.adapter[index]]}`,
    h("span", { class: "hidden" }, `: ${verdict.name}`), !declared && h("span", { class: "flag" }, ` ${run.flag}`));
}

/** A long name that may be broken where its words end. */
export function breakable(name) {
  return name.split(/(?<=[_/[,=])/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));
}

/** Buttons that add a term to the query or take it out again, with how many outcomes of those shown it is about. */
export function chips(run, indices, query, change) {
  const { outcomes, verdicts, phases, operations } = run;
  const families = [...new Set(operations.map((each) => each.family))];
  const familyOf = run.cases.map((_, index) => families.indexOf(run.operation(index).family));
  const counts = { undeclared: 0, verdict: verdicts.map(() => 0), phase: phases.map(() => 0), family: families.map(() => 0) };
  for (const index of indices) {
    counts.undeclared += 1 - outcomes.declared[index];
    counts.verdict[outcomes.verdict[index]]++;
    counts.phase[outcomes.phase[index]]++;
    counts.family[familyOf[outcomes.case[index]]]++;
  }
  const pressed = new Set(terms(query));
  const button = (term, label, kind, number) => (number || pressed.has(term)) && h("button",
    { type: "button", class: `chip ${kind}`, "aria-pressed": String(pressed.has(term)), click: () => change(toggled(query, term)) },
    label, h("small", null, ` ${number.toLocaleString("en")}`));
  return [
    h("div", { role: "group", "aria-label": "Verdicts" },
      button("declared:no", `${run.flag} not as declared`, "flagged", counts.undeclared),
      verdicts.map(({ name, glyph }, place) => button(`verdict:${name}`, `${glyph} ${name}`, name, counts.verdict[place])),
      phases.map((phase, place) => button(`phase:${phase}`, phase, "", counts.phase[place]))),
    h("div", { role: "group", "aria-label": "Families" },
      families.map((family, place) => button(`family:${/\s/.test(family) ? `"${family}"` : family}`, family, "", counts.family[place]))),
  ];
}
