// An operation's page: how to port from one framework to another, and its cases as far as the query leaves them.

import { textOf } from "./data.js";
import { h, prose, table } from "./elements.js";
import { caseList, entries } from "./overview.js";

/** Fill in what needs the data: the section itself is written by Python. */
export function completeOperation(run, section, details, selected, sort) {
  const rows = [...section.querySelectorAll(".stone tbody tr")];
  section.querySelector(".port")?.replaceChildren(...portView(rows, details.ports));
  section.querySelector(".knobs")?.replaceChildren(knobsView(details.knobs));
  rows.forEach((row, place) => showFunctions(row.querySelector(".call"), textOf(details, details.ports.functions[place])));
  const inside = selected.filter((index) => run.operation(run.outcomes.case[index]).name === section.dataset.operation);
  section.querySelector(".cases-of")?.replaceChildren(...(inside.length ? caseList(run, entries(run, inside, sort)) : [h("p", { class: "aside" }, "The query leaves none of its cases.")]));
}

/** The formulas that were looked for, the published ones among them. */
function knobsView(knobs) {
  const rows = knobs.map(({ name, meaning, published, cases }) => [
    h("th", { scope: "row" }, name), [meaning, published && h("em", null, " (the published formula)")], published ? "" : String(cases),
  ]);
  return h("details", null, h("summary", null, "All the formulas that were looked for"),
    table("Formulas that were looked for", ["Setting", "Meaning", "Cases that would fail"], rows, { class: "texts" }));
}

/** What a call is that takes a few lines: functions that stand in the reproduction scripts too. */
function showFunctions(cell, source) {
  if (!source || cell.querySelector("details")) return;
  cell.append(h("details", null, h("summary", null, "These are functions of a few lines"), h("pre", null, h("code", null, source))));
}

function portView(rows, { pairs, sentences }) {
  const names = rows.map((row) => [...row.cells[0].childNodes].map((node) => node.textContent.trim()).filter(Boolean).join(", "));
  const calls = rows.map((row) => row.querySelector(".call span").textContent);
  if (names.length < 2) return [h("p", { class: "aside" }, "Fewer than two frameworks have it.")];
  const answer = h("div", { "aria-live": "polite" });
  const one = Math.max(0, names.findIndex((name) => name.startsWith("torch")));
  const other = names.findIndex((name, place) => place !== one && name.startsWith("keras"));
  const [from, to] = [choice(names, one), choice(names, other < 0 ? Number(!one) : other)];
  const show = () => {
    const [here, there] = [Number(from.value), Number(to.value)];
    answer.replaceChildren(here === there ? h("p", { class: "aside" }, "The same spelling.") : h("div", null,
      h("p", null, h("code", null, calls[here]), " becomes ", h("code", null, calls[there])),
      h("ul", { class: "hints" }, pairs[here][there].map((place) => h("li", null, prose(sentences[place]))))));
  };
  for (const field of [from, to]) field.addEventListener("change", show);
  show();
  return [h("p", { class: "pickers" }, h("label", null, "From ", from), h("label", null, "to ", to)), answer];
}

function choice(names, selected) {
  return h("select", null, names.map((name, place) => h("option", { value: place, selected: place === selected }, name)));
}
