// Two columns of one run against each other: two frameworks, or two versions of one.

import { outcomeAddress } from "./address.js";
import { h, table } from "./elements.js";
import { plural, power } from "./numbers.js";

const AT_MOST = 300;
const WOBBLE = 10; // error ratios of one verdict that differ by less are the same finding

/** Choose two adapters and see where they part. */
export function columnsView(run) {
  if (run.adapters.length < 2) return [];
  const answer = h("div", { "aria-live": "polite" });
  const [one, other] = [field(run, 0), field(run, 1)];
  const show = () => answer.replaceChildren(...differences(run, Number(one.value), Number(other.value)));
  one.addEventListener("change", show);
  other.addEventListener("change", show);
  show();
  return [h("h3", null, "Two columns of this run"), h("p", { class: "pickers" }, h("label", null, "Compare ", one), h("label", null, "with ", other)), answer];
}

function field(run, selected) {
  return h("select", null, run.adapters.map((name, place) => h("option", { value: place, selected: place === selected }, name)));
}

function differences(run, one, other) {
  const { adapter } = run.outcomes;
  const found = [];
  let asked = 0;
  for (const row of run.rows.values()) {
    const [left, right] = [one, other].map((each) => row.find((index) => adapter[index] === each));
    if (left === undefined || right === undefined) continue;
    asked++;
    if (differ(run, left, right)) found.push([left, right]);
  }
  if (!found.length) return [h("p", null, asked ? `Nothing sets them apart, in ${plural(asked, "outcome")} that both have.` : "They have no case in common.")];
  const rows = found.slice(0, AT_MOST).map(([left, right]) => [
    h("a", { href: outcomeAddress(run, right) }, run.cases[run.outcomes.case[left]]), run.phases[run.outcomes.phase[left]], side(run, left), side(run, right),
  ]);
  const rest = found.length - rows.length;
  return [
    h("p", null, `They part in ${found.length.toLocaleString("en")} outcomes.`),
    table("Differences", ["Case", "Phase", run.adapters[one], run.adapters[other]], rows),
    rest > 0 && h("p", { class: "aside" }, `And ${rest.toLocaleString("en")} more.`),
  ].filter(Boolean);
}

function differ(run, one, other) {
  const { verdict, dialect } = run.outcomes;
  if (verdict[one] !== verdict[other] || dialect[one] !== dialect[other]) return true;
  if (run.verdict(one).quiet) return false;
  const [low, high] = [run.ratio(one) ?? 0, run.ratio(other) ?? 0].sort((a, b) => a - b);
  return high !== low && !(high <= WOBBLE * low);
}

function side(run, index) {
  const verdict = run.verdict(index);
  return [h("a", { class: `verdict ${verdict.name}`, href: outcomeAddress(run, index) }, `${verdict.glyph} ${verdict.name}`),
    verdict.quiet ? " " : ` ${run.dialects[run.outcomes.dialect[index]]} `, h("span", { class: "power" }, power(run.ratio(index)))];
}
