// An operation's page: how to port from one framework to another, and its cases as far as the query leaves them.

import { h, prose } from "./elements.js";
import { caseList, entries } from "./overview.js";

/** Fill in what needs the data: the section itself is written by Python. */
export function completeOperation(run, section, details, selected, sort) {
  section.querySelector(".port")?.replaceChildren(...portView(details.ports ?? {}));
  const inside = selected.filter((index) => run.operation(run.outcomes.case[index]).name === section.dataset.operation);
  section.querySelector(".cases-of")?.replaceChildren(...(inside.length ? caseList(run, entries(run, inside, sort)) : [h("p", { class: "aside" }, "The query leaves none of its cases.")]));
}

function portView(ports) {
  const names = Object.keys(ports);
  if (names.length < 2) return [h("p", { class: "aside" }, "Fewer than two frameworks have it.")];
  const answer = h("div", { "aria-live": "polite" });
  const from = choice("From", names, names[0]);
  const to = choice("to", names, names.find((each) => !names[0].split(", ").includes(each) && each !== names[0]) ?? names[1]);
  const show = () => {
    const hints = ports[from.value]?.[to.value] ?? [];
    answer.replaceChildren(from.value === to.value ? h("p", { class: "aside" }, "The same spelling.") : h("ul", { class: "hints" }, hints.map((hint) => h("li", null, prose(hint)))));
  };
  for (const field of [from, to]) field.addEventListener("change", show);
  show();
  return [h("p", { class: "pickers" }, h("label", null, "From ", from), h("label", null, "to ", to)), answer];
}

function choice(label, names, selected) {
  return h("select", null, names.map((each) => h("option", { value: each, selected: each === selected }, each)));
}
