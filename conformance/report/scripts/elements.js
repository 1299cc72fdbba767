// Building the page: every text goes in as text, so nothing in a run file can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (functions are listeners, false and null are left out) and children. */
export function h(tag, attributes, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** An element of an SVG picture. */
export function svg(tag, attributes, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

const CONTROL = /[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text with control characters, lone surrogates and direction marks spelled out, as the rest of the page has it. */
export function printable(text) {
  const spelled = (sign) => {
    const code = sign.codePointAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  };
  const given = String(text);
  return /^[ -~]*$/.test(given) ? given : given.replace(CONTROL, spelled);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : printable(value));
    }
  }
  const shown = children.flat(3).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...shown.map((child) => (child instanceof Node ? child : printable(child))));
  return element;
}

/** A text in which `code` stands between backticks. */
export function prose(text) {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? h("code", null, part) : part));
}

const LONGEST = 50;

/** An address as it is read: a thread of GitHub as GitHub writes it, any other without its scheme and its middle. */
export function brief(address) {
  const thread = /^https:\/\/github\.com\/([^/]+\/[^/]+)\/(?:issues|pull|discussions)\/(\d+)[^/]*$/.exec(address);
  if (thread) return `${thread[1]}#${thread[2]}`;
  const text = address.replace(/^https?:\/\/(www\.)?/, "").replace(/\/+$/, "") || address;
  const leading = text.split("/");
  const last = leading.pop();
  if (text.length <= LONGEST || leading.length < 2) return text;
  while (leading.length > 1 && [...leading, "…", last].join("/").length > LONGEST) leading.pop();
  return [...leading, "…", last].join("/");
}

/** A link, if it leads to the web; a case file may say anything. */
export function reference(text) {
  if (!/^https?:\/\//.test(text)) return text;
  return h("a", { href: text }, brief(text));
}

/** A table that scrolls by itself on a narrow screen; rows are elements, or lists of cells. */
export function table(label, heads, rows, attributes = {}) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": label },
    h(
      "table",
      attributes,
      h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", null, rows.map((row) => (Array.isArray(row) ? h("tr", null, row.map(cell)) : row))),
    ),
  );
}

function cell(content) {
  return content instanceof HTMLTableCellElement ? content : h("td", null, content);
}

/** A button that copies a text, and says that it has. */
export function copyButton(label, text) {
  const button = h("button", { type: "button", class: "copy", click: copy }, label);
  async function copy() {
    const value = typeof text === "function" ? text() : text;
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      copyFromField(value); // a page from disk may have no clipboard of its own
    }
    button.textContent = "Copied";
    announce(`${label}: copied`);
    setTimeout(() => (button.textContent = label), 1500);
  }
  return button;
}

function copyFromField(text) {
  const field = h("textarea", { class: "hidden", "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/** Have a screen reader say something. */
export function announce(text) {
  document.getElementById("announcement").textContent = text;
}
