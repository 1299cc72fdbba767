// The page comes to life: what the address asks for is shown, and what the user does changes the address.

import { go, read, write } from "./address.js";
import { block } from "./blocks.js";
import { caseView } from "./case.js";
import { columnsView } from "./columns.js";
import { Details, Run } from "./data.js";
import { announce, h } from "./elements.js";
import { plural } from "./numbers.js";
import { completeOperation } from "./operation.js";
import { Matrix, SORTS, caseList, chips, entries } from "./overview.js";
import { QueryError, select } from "./query.js";

const $ = (id) => document.getElementById(id);

class Page {
  constructor(run) {
    this.run = run;
    this.title = document.title;
    this.matrix = new Matrix(run, document.querySelector("table.matrix"));
    this.everything = [...Array(run.size).keys()];
  }

  /** Show what the address asks for. */
  async show({ again = false } = {}) {
    const state = (this.state = read(location.hash));
    const view = viewOf(state, this.run);
    const subject = `${view} ${state.case ?? state.operation}`;
    const fresh = this.subject !== undefined && this.subject !== subject;
    [this.view, this.subject] = [view, subject];
    this.#select(state);
    for (const section of document.querySelectorAll("[data-view]")) section.hidden = !shows(section, view, state);
    for (const link of document.querySelectorAll("header nav a")) link.dataset.for === view ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    document.title = [state.case ?? state.operation, this.title].filter(Boolean).join(" – ");
    await VIEWS[view](this, state);
    if (this.state !== state) return; // somebody has gone on meanwhile
    if (fresh && !again) begin(view); // whoever comes back is where he was
    if (state.anchor) $(state.anchor)?.scrollIntoView();
    document.documentElement.dataset.shown = location.hash; // whoever waits for it may go on
  }

  /** The cases that the query leaves, as they are sorted. */
  entries({ sort }) {
    return entries(this.run, this.selected, sort);
  }

  #select({ q = "", sort = "" }) {
    if (document.activeElement !== $("query")) $("query").value = q;
    $("sort").value = Object.hasOwn(SORTS, sort) ? sort : Object.keys(SORTS)[0];
    if (this.query === q) return;
    this.query = q;
    document.documentElement.toggleAttribute("data-asked", Boolean(q.trim()));
    this.selected = this.everything;
    let said = "";
    try {
      if (q.trim()) {
        this.selected = select(this.run, q);
        said = plural(new Set(this.selected.map((index) => this.run.outcomes.case[index])).size, "case");
      }
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      this.selected = [];
      said = error.message;
    }
    $("query").setAttribute("aria-invalid", String(!this.selected.length));
    $("found").textContent = said;
  }
}

// --- the views ------------------------------------------------------------------------------------------------------

const VIEWS = {
  async overview(page, state) {
    const { run, selected } = page;
    const later = page.matrix.show(selected);
    $("chips").replaceChildren(...chips(run, selected, state.q ?? "", (q) => go({ sort: state.sort, q })));
    if (later) await later; // the list is below all rows
    if (page.state === state) $("case-list").replaceChildren(...caseList(run, page.entries(state)));
  },

  async operation({ run, selected }, { operation, sort }) {
    const details = await detailsOf(run.operations.find((each) => each.name === operation));
    completeOperation(run, sectionOf(operation), details, selected, sort);
  },

  async case(page, state) {
    const { run } = page;
    const details = await detailsOf(run.operation(run.caseIndex.get(state.case)));
    const focused = document.activeElement?.closest("#case a")?.getAttribute("href");
    $("case").replaceChildren(neighbours(page, state), ...caseView(run, details, state.case, state).flat().filter(Boolean));
    if (focused) $("case").querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  },

  compare({ run }) {
    if (!$("columns").childElementCount) $("columns").append(...columnsView(run));
  },

  lost(page, state) {
    const what = state.case ? `case ${state.case}` : `operation ${state.operation}`;
    $("lost").replaceChildren(h("p", null, `This report has no ${what}. `, h("a", { href: "#" }, "To the overview")));
  },
};

const known = new Map();

/** The details of an operation, made once, however often somebody asks before they are there. */
function detailsOf({ name, block: id }) {
  const make = async () => new Details(await block(id), await block("page-texts"), name);
  if (!known.has(name)) known.set(name, make());
  return known.get(name);
}

function viewOf(state, run) {
  if (state.case) return run.caseIndex.has(state.case) ? "case" : "lost";
  if (state.operation) return sectionOf(state.operation) ? "operation" : "lost";
  return state.compare ? "compare" : "overview";
}

function sectionOf(operation) {
  return document.querySelector(`section[data-operation="${CSS.escape(operation)}"]`);
}

function shows(section, view, { operation }) {
  return section.dataset.view === view && (view !== "operation" || section.dataset.operation === operation);
}

/** The case before and the one after, among those that the query leaves. */
function neighbours(page, { case: name, sort }) {
  const names = page.entries({ sort }).map((entry) => page.run.cases[entry.name]);
  const place = names.indexOf(name);
  const link = (label, other, key) => other !== undefined && h("a", { href: write({ case: other }), "data-key": key, title: other }, label);
  return h("nav", { class: "neighbours", "aria-label": "Cases" },
    link("‹ previous", names[place - 1], "k"),
    h("span", null, place < 0 ? "not in the query" : `${(place + 1).toLocaleString("en")} of ${plural(names.length, "case")}`),
    link("next ›", names[place + 1], "j"));
}

/** Begin to read a view that was not there before. */
function begin(view) {
  scrollTo(0, 0);
  (document.querySelector(`[data-view="${view}"]:not([hidden]) h2`) ?? $("main")).focus({ preventScroll: true });
}

// --- what the user does ---------------------------------------------------------------------------------------------

function listen(page) {
  addEventListener("popstate", () => page.show({ again: true }));
  addEventListener("address", () => page.show());
  document.addEventListener("click", (event) => follow(event, page));
  document.addEventListener("keydown", (event) => press(event, page));
  $("search").addEventListener("submit", (event) => event.preventDefault());
  $("query").addEventListener("input", () => go(searched(page.state, $("query").value), { replace: "q" in page.state }));
  $("sort").append(...Object.entries(SORTS).map(([name, { label }]) => h("option", { value: name }, label)));
  $("sort").addEventListener("change", () => go({ ...page.state, sort: $("sort").value }, { replace: true }));
  $("theme").addEventListener("click", changeTheme);
  $("keys").addEventListener("change", () => keep("keys", $("keys").checked ? "on" : "off"));
  $("help-button").addEventListener("click", () => $("help").showModal());
}

/** A query is about the overview or an operation; from elsewhere it leads to the overview. */
function searched({ operation, sort }, q) {
  return { operation, sort, q };
}

/** A link within the page is a step in the history; the query goes with it, but for the way home. */
function follow(event, { state: { q, sort } }) {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const { anchor, ...target } = read(link.getAttribute("href"));
  if (link.classList.contains("skip")) $("main").focus();
  else go(link.closest("h1") ? {} : { q, sort, ...target });
}

const ARROWS = { ArrowRight: "j", ArrowLeft: "k" };

function press(event, page) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open || !$("keys").checked) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const scrolls = event.target.closest(".scroll"); // arrows scroll a table
  const action = actionOf((!scrolls && ARROWS[event.key]) || event.key, page);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionOf(key, { view, state }) {
  if (key === "/") return () => $("query").select();
  if (key === "?") return () => $("help").showModal();
  if (key === "Escape" && view !== "overview") return () => go({ q: state.q, sort: state.sort });
  if (key !== "j" && key !== "k") return null;
  if (view === "case") return () => $("case").querySelector(`[data-key="${key}"]`)?.click();
  return () => step(key === "j" ? 1 : -1);
}

/** Go down or up the list of cases. */
function step(by) {
  const links = [...document.querySelectorAll(".cases a.name")].filter((link) => link.checkVisibility());
  const place = links.indexOf(document.activeElement) + by;
  links[Math.max(0, Math.min(links.length - 1, place))]?.focus();
}

// --- what somebody prefers ------------------------------------------------------------------------------------------

const THEMES = { "": "system", light: "light", dark: "dark" };

function changeTheme() {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
  showTheme(next);
  announce(`Colours: ${THEMES[next]}`);
  keep("theme", next);
}

function keep(name, value) {
  try {
    localStorage.setItem(`conformance-${name}`, value);
  } catch {
    // a page from disk may keep nothing: the choice lasts as long as the page
  }
}

function kept(name) {
  try {
    return localStorage.getItem(`conformance-${name}`) ?? "";
  } catch {
    return "";
  }
}

function showTheme(name) {
  document.documentElement.dataset.theme = Object.hasOwn(THEMES, name) ? name : "";
  $("theme").textContent = `Colours: ${THEMES[document.documentElement.dataset.theme]}`;
}

// --- start ----------------------------------------------------------------------------------------------------------

showTheme(kept("theme"));
$("keys").checked = kept("keys") !== "off";
try {
  const page = new Page(new Run(await block("page-summary")));
  listen(page);
  await page.show();
} finally {
  document.documentElement.dataset.shown ??= ""; // a script that fails hides nothing
}
