// Training curves: an element of each tensor from step to step, the framework's run beside the formula's.

import { h, svg } from "./elements.js";
import { number, signed } from "./numbers.js";

const WIDTH = 260, HEIGHT = 110, MARGIN = { left: 6, right: 6, top: 8, bottom: 16 };

/** A picture for each curve. */
export function curvePictures(curves) {
  return h("div", { class: "curves" }, curves.map(picture));
}

function picture(curve) {
  const { expected, actual, difference } = curve;
  const end = expected.length - 1;
  const place = curve.index.length ? `[${curve.index.join(", ")}]` : "";
  const told = `after ${end + 1} steps ${number(actual[end], 5)}, by the formula ${number(expected[end], 5)}`;
  return h("figure", { class: "curve" },
    h("figcaption", null, h("strong", null, `${curve.name}${place}`), ` ${told}; difference ${signed(difference, 3)}`),
    plot([["formula", expected], ["framework", actual]], `${curve.name}: ${told}`));
}

function plot(lines, label) {
  const values = lines.flatMap(([, line]) => line.map(Number)).filter(Number.isFinite);
  const [low, high] = [Math.min, Math.max].map((extreme) => values.reduce((one, other) => extreme(one, other), values[0]));
  const share = (value) => (high > low ? (value / 2 - low / 2) / (high / 2 - low / 2) : 0.5); // halves do not overflow
  const steps = lines[0][1].length;
  const x = (step) => MARGIN.left + (step / Math.max(steps - 1, 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - share(value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    svg("line", { class: "axis", x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom }),
    svg("text", { x: MARGIN.left, y: HEIGHT - 4 }, "step 1"),
    svg("text", { x: WIDTH - MARGIN.right, y: HEIGHT - 4, "text-anchor": "end" }, String(steps)),
    lines.map(([name, line]) => [
      ...unbroken(line).map((part) => svg("polyline", { class: name, points: part.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ") })),
      steps <= 30 && line.map(Number).map((value, step) => Number.isFinite(value) && svg("circle", { class: name, cx: x(step), cy: y(value), r: name === "formula" ? 3.5 : 2 },
        svg("title", null, `step ${step + 1}, ${name}: ${number(value, 6)}`))),
    ]));
}

/** The parts of a line between its gaps, where a value is not finite. */
function unbroken(line) {
  const parts = [[]];
  line.map(Number).forEach((value, step) => (Number.isFinite(value) ? parts.at(-1).push([step, value]) : parts.push([])));
  return parts.filter((part) => part.length);
}
