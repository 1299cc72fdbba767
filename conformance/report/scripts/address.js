// All that is on the screen is in the address: `#?case=gelu/large&adapter=torch&phase=train&q=...`.

const NAMES = ["operation", "case", "compare", "adapter", "phase", "tensor", "sort", "q"];

/** What an address asks for; `#operation-relu` and other anchors of the page are addresses too. */
export function read(hash) {
  if (!hash.startsWith("#?")) {
    const anchor = unescaped(hash.slice(1));
    if (!anchor) return {};
    const section = document.getElementById(anchor);
    const operation = section?.closest("section[data-operation]")?.dataset.operation;
    if (operation) return { operation };
    return section?.closest("#compare") ? { compare: "1" } : { anchor };
  }
  const given = new URLSearchParams(hash.slice(2));
  return Object.fromEntries(NAMES.filter((name) => given.get(name)).map((name) => [name, given.get(name)]));
}

/** The address of a state. */
export function write(state) {
  const entries = NAMES.filter((name) => state[name]).map((name) => `${name}=${escaped(state[name])}`);
  return entries.length ? `#?${entries.join("&")}` : "#";
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody's own percent signs
  }
}

function escaped(value) {
  return encodeURIComponent(value).replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%20/g, "+");
}

/** The address of one outcome. */
export function outcomeAddress({ outcomes, cases, adapters, phases }, index) {
  return write({ case: cases[outcomes.case[index]], adapter: adapters[outcomes.adapter[index]], phase: phases[outcomes.phase[index]] });
}

/** Go to a state: a step in the history, unless it replaces the one that is there. */
export function go(state, { replace = false } = {}) {
  const target = write(state);
  if (target === (location.hash || "#")) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  dispatchEvent(new Event("address"));
}
