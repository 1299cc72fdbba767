// Numbers as one reads them.

/** A number to some significant digits; the texts that stand for NaN and the infinities in JSON are numbers too. */
export function number(value, digits = 3) {
  if (value === null || value === undefined) return "";
  const given = Number(value);
  if (!Number.isFinite(given)) return Number.isNaN(given) ? "NaN" : given > 0 ? "∞" : "−∞";
  if (given === 0) return Object.is(given, -0) ? "−0" : "0";
  const size = Math.abs(given);
  const text = size < 1e-4 || size >= 10 ** Math.max(digits, 6) ? given.toExponential(digits - 1) : given.toPrecision(digits);
  return trimmed(text).replace("-", "−").replace("e-", "e−");
}

function trimmed(text) {
  const [mantissa, exponent] = text.split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return exponent ? `${short}e${exponent.replace("+", "")}` : short;
}

/** A number with all the digits that its format has. */
export function exact(value, dtype) {
  return number(value, dtype === "float32" ? 9 : 17);
}

/** A number with its sign. */
export function signed(value, digits = 2) {
  const text = number(value, digits);
  return Number(value) > 0 ? `+${text}` : text;
}

/** An error ratio as a power of ten. */
export function power(ratio) {
  if (ratio === null || ratio === undefined) return "";
  const given = Number(ratio);
  if (!Number.isFinite(given)) return "∞";
  return given > 0 ? withSign(Math.log10(given), 1) : "exact";
}

/** The same in four characters: for a cell among many. */
export function briefPower(ratio) {
  if (ratio === 0) return "=";
  const exponent = ratio ? Math.log10(ratio) : 0;
  return Number.isFinite(exponent) && Math.abs(exponent) >= 9.95 ? withSign(exponent, 0) : power(ratio);
}

function withSign(value, digits) {
  const text = (Number(value.toFixed(digits)) || 0).toFixed(digits);
  return text.startsWith("-") ? text.replace("-", "−") : `+${text}`;
}

/** A count with its noun. */
export function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A parameter or a weight as one reads it. */
export function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (value && typeof value === "object") {
    return `{${Object.entries(value).map(([key, each]) => `${key}: ${literal(each)}`).join(", ")}}`;
  }
  return typeof value === "number" ? pasteable(value) : String(value);
}

/** A number as Python writes it to nine digits. */
function pasteable(value) {
  const size = Math.abs(value);
  if (value && (size < 1e-4 || size >= 1e9)) return trimmed(value.toExponential(8)).replace(/e(-?)(\d)$/, "e$10$2").replace(/e(?=\d)/, "e+");
  return trimmed(value.toPrecision(9));
}
