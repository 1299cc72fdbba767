// The error map: the signed error of every element in units of the formula's own rounding error.

import { h } from "./elements.js";
import { signed } from "./numbers.js";

const MOST_WITH_NUMBERS = 12; // columns that leave room for numbers in the cells

/** The map of a tensor, with a picker for each axis beyond two. `limit` is the error ratio up to which it conforms. */
export function errorMap(tensor, limit) {
  const { shape, errors } = tensor;
  if (!errors.length) return h("p", { class: "aside" }, emptyBecause(tensor));
  const rank = shape.length;
  const chosen = startAt(tensor);
  const axes = { row: rank > 1 ? rank - 2 : -1, column: rank - 1 };
  const grid = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": `Errors of ${tensor.name}` });
  const pickers = h("div", { class: "pickers" });
  const draw = () => {
    grid.replaceChildren(slice(tensor, limit, chosen, axes));
    pickers.replaceChildren(...pickersOf(tensor, chosen, axes, draw));
  };
  draw();
  return h("figure", { class: "errormap" }, rank > 2 && pickers, grid, legend(limit));
}

function emptyBecause({ shape, index }) {
  const size = shape.reduce((product, each) => product * each, 1);
  if (!size) return "It has no elements.";
  return index ? `There is no map: ${size.toLocaleString("en")} elements were too many to keep.` : "There is no map: nothing can be compared element by element.";
}

/** The slice that holds the worst element. */
function startAt({ shape, index }) {
  return shape.map((_, axis) => index?.[axis] ?? 0);
}

function pickersOf({ shape }, chosen, axes, draw) {
  const select = (label, value, options, change) => {
    const field = h("select", { "aria-label": label, change: () => (change(Number(field.value)), draw(), document.querySelector(`select[aria-label="${label}"]`)?.focus()) },
      options.map((each) => h("option", { value: each, selected: each === value }, each)));
    return h("label", null, `${label} `, field);
  };
  const all = shape.map((_, axis) => axis);
  const swap = (which, other) => (axis) => {
    if (axes[other] === axis) axes[other] = axes[which];
    axes[which] = axis;
  };
  return [
    select("rows: axis", axes.row, all, swap("row", "column")),
    select("columns: axis", axes.column, all, swap("column", "row")),
    ...all.filter((axis) => axis !== axes.row && axis !== axes.column).map((axis) =>
      select(`axis ${axis}`, chosen[axis], [...Array(shape[axis]).keys()], (value) => (chosen[axis] = value))),
  ];
}

function slice({ name, shape, errors }, limit, chosen, { row, column }) {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, each) => product * each, 1));
  const rows = row < 0 ? 1 : shape[row];
  const columns = column < 0 ? 1 : shape[column];
  const dense = columns > MOST_WITH_NUMBERS;
  const lines = [...Array(rows).keys()].map((y) => h("tr", null,
    row >= 0 && h("th", { scope: "row" }, y),
    [...Array(columns).keys()].map((x) => {
      const index = chosen.map((each, axis) => (axis === row ? y : axis === column ? x : each));
      return cell(index, errors[index.reduce((sum, each, axis) => sum + each * strides[axis], 0)], limit, dense);
    })));
  return h("table", { class: dense ? "map dense" : "map" },
    h("caption", { class: "hidden" }, `Signed errors of ${name} in units of the bound`),
    column >= 0 && h("thead", null, h("tr", null, row >= 0 && h("td"), [...Array(columns).keys()].map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", null, lines));
}

function cell(index, error, limit, dense) {
  const value = Number(error);
  const text = signed(value);
  const made = h("td", { class: kind(value, limit), title: `[${index.join(", ")}]: ${text}` }, dense ? h("span", { class: "hidden" }, text) : text);
  made.style.setProperty("--strength", strength(value, limit));
  return made;
}

function kind(value, limit) {
  if (Number.isNaN(value)) return "odd";
  if (Math.abs(value) <= limit) return "within";
  return value > 0 ? "above" : "below";
}

/** From 0 at no error to 1 at a million bounds and beyond, by powers of ten. */
function strength(value, limit) {
  if (!Number.isFinite(value)) return 1;
  const size = Math.abs(value);
  return size <= limit ? Math.min(size / limit, 1) : Math.min(0.25 + Math.log10(size / limit) / 8, 1);
}

function legend(limit) {
  return h("figcaption", { class: "aside" },
    h("span", { class: "key within" }, `within ±${limit}: rounding explains it`), " ",
    h("span", { class: "key above" }, "+ the framework is above the formula"), " ",
    h("span", { class: "key below" }, "− below"));
}
