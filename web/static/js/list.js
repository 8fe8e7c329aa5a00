// Lists: rows that change in place, a note when new ones have come, and the way from one document to the next.

import { calmly, find, findAll, h } from "./dom.js";
import { onChange } from "./live.js";
import { go, refresh } from "./navigate.js";

const REMEMBERED = "list";

/** Pages with rows. New documents are announced, not pushed in: nothing jumps under the hand. */
export function mountList(main, signal) {
  remember();
  if (main.dataset.page === "search") return;
  const look = calmly(700, async () => {
    const page = await refresh();
    if (page && main.dataset.page === "documents") noteArrivals(page);
  });
  onChange((summary) => concerns(summary) && look(), signal);
}

/** Home and Activity: their parts are read again as a whole. */
export function mountOverview(_main, signal) {
  remember();
  const look = calmly(700, refresh);
  onChange(look, signal);
}

const concerns = (summary) => summary === null || !find(`.row[data-id="${summary.id}"][data-revision="${summary.revision}"]`);

function noteArrivals(page) {
  const here = new Set(findAll("[data-rows] .row").map((row) => row.dataset.id));
  const arrived = findAll("[data-rows] .row", page).filter((row) => !here.has(row.dataset.id)).length;
  const place = find("#arrived");
  if (!place || !arrived) return;
  if (!here.size) return go(location.href);
  place.hidden = false;
  place.replaceChildren(h("a", { class: "button", href: location.href, role: "status" }, arrived === 1 ? "The list has changed · Show" : `${arrived} changes · Show`));
}

/** Keep which documents were listed, so that a document's page leads to its neighbours and back. */
function remember() {
  const ids = findAll("main .row").map((row) => row.dataset.id);
  const links = findAll("main .row-link").map((link) => link.getAttribute("href"));
  const next = find('main .pager a[rel="next"]')?.getAttribute("href") ?? null;
  if (ids.length) store({ url: location.pathname + location.search, ids, links, next });
}

function store(value) {
  try {
    sessionStorage.setItem(REMEMBERED, JSON.stringify(value));
  } catch {
    // Without storage there are no neighbours; the back button still works.
  }
}

/** The list that was shown last: {url, ids, links, next}, or null. */
export function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(REMEMBERED));
  } catch {
    return null;
  }
}
