// A case: what each adapter computed in each phase, whether that is as declared, and every number behind it.

import { read, write } from "./address.js";
import { curvePictures } from "./curves.js";
import { textOf } from "./data.js";
import { copyButton, h, reference, table } from "./elements.js";
import { errorMap } from "./errormap.js";
import { issueText } from "./issue.js";
import { exact, literal, number, power, signed } from "./numbers.js";

/** The view of a case; `state` chooses the adapter, the phase and the tensor. */
export function caseView(run, details, name, state) {
  const about = details.cases.get(name);
  const indices = run.outcomesOf(run.caseIndex.get(name));
  const selected = chosen(run, indices, state);
  const operation = run.operation(run.caseIndex.get(name)).name;
  return [
    h("p", { class: "path" }, h("a", { href: "#main" }, "Overview"), " › ",
      h("a", { href: write({ operation }) }, operation)),
    h("h2", { tabindex: "-1" }, name.slice(operation.length + 1) || name),
    about.description && h("p", { class: "lead" }, about.description),
    formula(operation),
    h("section", { "aria-labelledby": "case-outcomes" },
      h("h3", { id: "case-outcomes" }, "What each framework computed"),
      outcomes(run, about.outcomes, indices, selected, state)),
    outcomeView(run, details, name, selected, state),
    h("section", { "aria-labelledby": "case-yaml" },
      h("h3", { id: "case-yaml" }, "The case as it is written", about.file && h("small", null, ` ${about.file}`)),
      h("pre", { class: "scroll", tabindex: "0" }, h("code", null, about.yaml ?? "")),
      [about.references ?? []].flat().map((each) => h("p", { class: "aside" }, "Reference: ", reference(each)))),
  ];
}

function chosen(run, indices, { adapter, phase }) {
  const fits = (index) =>
    (!adapter || run.adapters[run.outcomes.adapter[index]] === adapter) &&
    (!phase || run.phases[run.outcomes.phase[index]] === phase);
  const fitting = indices.filter(fits);
  return run.gravest(fitting.length ? fitting : indices);
}

function formula(operation) {
  const figure = document.querySelector(`section[data-operation="${CSS.escape(operation)}"] figure.formula`);
  return figure?.cloneNode(true);
}

// --- the outcomes ---------------------------------------------------------------------------------------------------

/** A row for each adapter, with what it computed in each phase and, beside that, whether it is as declared. */
function outcomes(run, held, indices, selected, state) {
  const { adapter: adapters, phase: phases } = run.outcomes;
  const there = [...new Set(indices.map((index) => phases[index]))].sort((one, other) => one - other);
  const rows = [...new Set(indices.map((index) => adapters[index]))].map((adapter) => {
    const cells = there.flatMap((phase) => {
      const place = indices.findIndex((index) => adapters[index] === adapter && phases[index] === phase);
      return place < 0 ? [h("td"), h("td")] : outcomeCells(run, indices[place], held[place].declared, indices[place] === selected, state);
    });
    return h("tr", null, h("th", { scope: "row" }, run.adapters[adapter]), cells);
  });
  const heads = there.flatMap((phase) => [run.phases[phase], "as declared"]);
  return table("Outcomes", ["Adapter", ...heads], rows, { class: "outcomes" });
}

function outcomeCells(run, index, known, selected, state) {
  const { outcomes: columns, adapters, phases, dialects, flag } = run;
  const [adapter, phase] = [adapters[columns.adapter[index]], phases[columns.phase[index]]];
  const address = write({ ...state, adapter, phase, tensor: undefined });
  const { name, glyph } = run.verdict(index);
  const formula = name === "conforms" ? "" : dialects[columns.dialect[index]];
  const declared = !columns.declared[index] ? h("strong", { class: "flag" }, `${flag} no`) : known ? "yes, declared" : "yes";
  return [
    h("td", { class: selected && "selected" },
      h("a", { class: `verdict ${name}`, href: address, "aria-current": selected && "true", title: run.words(index) },
        h("span", { "aria-hidden": "true" }, glyph), ` ${name}`),
      " ", formula, " ", h("span", { class: "power" }, power(run.ratio(index)))),
    h("td", { class: selected && "selected" }, declared),
  ];
}

function sign(run, index) {
  const verdict = run.verdict(index);
  return h("span", { class: `verdict ${verdict.name}` }, h("span", { "aria-hidden": "true" }, verdict.glyph), ` ${verdict.name}`);
}

// --- one outcome ----------------------------------------------------------------------------------------------------

function outcomeView(run, details, name, index, state) {
  const { outcomes: columns, adapters, phases } = run;
  const [adapter, phase] = [adapters[columns.adapter[index]], phases[columns.phase[index]]];
  const indices = run.outcomesOf(run.caseIndex.get(name));
  const all = details.cases.get(name).outcomes;
  const outcome = all[indices.indexOf(index)];
  const command = reproduction(name, adapter, run.modes[adapter]);
  const source = indices
    .filter((each) => columns.adapter[each] === columns.adapter[index])
    .map((each) => textOf(details, all[indices.indexOf(each)].script))
    .find(Boolean);
  const tensors = outcome.tensors;
  return h("section", { class: "outcome", "aria-labelledby": "outcome-title" },
    h("h3", { id: "outcome-title" }, `${adapter}, ${phase} `, sign(run, index)),
    h("p", { class: "message" }, run.messages[columns.message[index]]),
    (outcome.declared ?? []).map((place) => declaration(...details.declarations[place])),
    tensors.length ? tensorsView(run, tensors, state) : h("p", { class: "aside" }, "Nothing was measured here."),
    outcome.rivals && runnersUp(run, index, outcome.rivals),
    outcome.curves && [h("h4", null, "Training, step by step"),
      h("p", { class: "aside" }, h("span", { class: "key formula" }, "the formula’s own run"), " ", h("span", { class: "key framework" }, "the framework"),
        ". Of each tensor, the element that ends farthest from the formula’s run."),
      curvePictures(outcome.curves)],
    values("Parameters as the framework holds them", outcome.parameters, outcome.defaults ?? []),
    values("Learned weights and states that prediction started from", outcome.learned),
    h("h4", null, "See it for yourself"),
    h("p", { class: "buttons" },
      source && copyButton("Copy the script", source),
      copyButton("Copy the command", command),
      copyButton("Copy an issue text", () => issueText(run, details, name, index, tensors, source ?? command))),
    source ? h("details", null, h("summary", null, "The script: this framework and NumPy, nothing of the harness"), h("pre", { class: "scroll", tabindex: "0" }, h("code", null, source)))
      : h("pre", { class: "scroll", tabindex: "0" }, h("code", null, command)));
}

function declaration(what, reason, address) {
  return h("p", null, h("strong", null, "Declared: "), `${what}. ${reason} `, address && reference(address));
}

/** The command that writes a script with the same numbers. */
export function reproduction(name, adapter, mode) {
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);
  return `conformance repro ${quoted(name)} --adapter ${quoted(adapter)}${mode ? ` --mode ${mode}` : ""}`;
}

function values(title, held, defaults = []) {
  if (!held) return null;
  return h("details", null, h("summary", null, title),
    h("dl", { class: "values" }, Object.entries(held).map(([name, value]) =>
      h("div", null, h("dt", null, name), h("dd", null, literal(value), defaults.includes(name) && h("em", null, " the framework’s own default"))))));
}

function runnersUp(run, index, rivals) {
  const found = run.dialects[run.outcomes.dialect[index]];
  return [h("h4", null, "Which formula reproduces it"),
    h("p", null, run.unnamed.includes(found) ? "None that is known. " : ["Found: ", h("strong", null, found), ". "],
      "Runners-up, and how many times the rounding error they are off:"),
    h("ul", { class: "rivals" }, rivals.map(([dialect, ratio]) => h("li", null, `${dialect}: ${number(ratio)}`)))];
}

// --- its tensors ----------------------------------------------------------------------------------------------------

function tensorsView(run, tensors, state) {
  const keyOf = (tensor) => `${tensor.name},${tensor.dtype}`;
  const selected = tensors.find((each) => keyOf(each) === state.tensor) ?? run.worst(tensors);
  const rows = tensors.map((tensor) => h("tr", { "aria-current": tensor === selected && "true" },
    h("th", { scope: "row" }, h("a", { href: write({ ...read(location.hash), tensor: keyOf(tensor) }) }, tensor.name)),
    h("td", null, tensor.step || "–"),
    h("td", null, tensor.dtype),
    h("td", null, tensorSign(run, tensor)),
    [number(tensor.error_ratio), number(tensor.max_abs), number(tensor.max_rel), number(tensor.max_ulp), number(tensor.drift)].map((text) => h("td", null, text))));
  return [
    h("h4", null, "Its tensors"),
    table("Tensors", ["Tensor", "Step", "Format", "Verdict", "Error ratio", "Largest difference", "relative", "in ulp", "Drift"], rows, { class: "numbers" }),
    tensorView(run, selected),
  ];
}

function tensorSign(run, { verdict, dialect }) {
  const { glyph } = run.verdictNamed(verdict);
  return [h("span", { class: `verdict ${verdict}` }, `${glyph} ${verdict}`), dialect && ` ${dialect}`];
}

function tensorView(run, tensor) {
  const limit = run.limits[tensor.dtype];
  const heldTo = tensor.held_to ? ["measured from ", h("code", null, tensor.held_to), ", which is declared"] : "measured from the published formula";
  const published = tensor.published !== null && ` From the published formula it is ${number(tensor.published)} of them away.`;
  return h("section", { class: "tensor", "aria-labelledby": "tensor-title" },
    h("h4", { id: "tensor-title" }, `${tensor.name} `, h("small", null, `${tensor.dtype}, shape [${tensor.shape.join(", ")}]${tensor.step ? `, step ${tensor.step}` : ""}`)),
    h("p", { class: "aside" }, "The signed error of each element in units of the formula’s own rounding error, ", heldTo, ".", published),
    tensor.notes.length > 0 && h("ul", null, tensor.notes.map((note) => h("li", null, note))),
    errorMap(tensor, limit),
    tensor.elements.length ? worst(tensor) : h("p", null, closest(tensor)));
}

function worst({ name, dtype, elements }) {
  const rows = elements.map(({ index, expected, actual, difference, digits, bound, ratio }, place) => {
    const shown = (value) => (place ? number(value, digits) : exact(value, dtype)); // of the worst, all digits
    return [`[${index.join(", ")}]`, shown(expected), shown(actual), signed(difference, 3), number(bound, 2), signed(ratio, 2)];
  });
  return [h("h5", null, elements.length > 1 ? `The ${elements.length} worst elements` : "The worst element"),
    table(`Worst elements of ${name}`, ["Index", "Expected", "Actual", "Difference", "Bound", "Error ratio"], rows, { class: "numbers" })];
}

function closest({ index, expected, error_ratio, verdict }) {
  if (!index) return "";
  if (error_ratio === 0) return "Every element is exactly what the formula gives.";
  const told = `${number(error_ratio)} times the bound: that is at [${index.join(", ")}], where ${number(expected, 5)} is expected`;
  return `No element is farther off than ${told}.${verdict === "conforms" ? " The map is rounded to halves." : ""}`;
}
