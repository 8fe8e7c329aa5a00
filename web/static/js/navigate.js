// Moving between pages without leaving the document, so that uploads and the live stream go on; and taking in what
// changed on the page that is shown. Where the browser cannot do it, links simply load their page.

import { announce, find, findAll, h } from "./dom.js";
import { localise } from "./dates.js";

let mount = () => {};
let leave = new AbortController();
let passOn = false;
let refreshing = null;

/** `mounted(main, signal)` is called for every page shown; the signal tells when it is left. */
export function startNavigation(mounted) {
  mount = mounted;
  shown();
  // The field gives the focus away, so that the keys work on what was found.
  find(".bar-search").addEventListener("submit", () => document.activeElement?.blur());
  if (!window.navigation) return;
  navigation.addEventListener("navigate", (event) => {
    if (!isPage(event)) return;
    event.intercept({ handler: () => load(event), focusReset: "manual", scroll: "manual" });
  });
}

/** Go to another page. */
export function go(url) {
  location.assign(url);
}

function isPage(event) {
  const url = new URL(event.destination.url);
  if (passOn || !event.canIntercept || event.hashChange || event.downloadRequest !== null || event.formData) return false;
  if (event.navigationType === "reload" || url.origin !== location.origin) return false;
  if (event.info === "in-page") return false;
  return !/^\/(api|static|docs|hooks|metrics)\b/.test(url.pathname);
}

async function load(event) {
  const bar = h("div", { class: "loading-bar", "aria-hidden": "true" });
  document.body.append(bar);
  try {
    const answer = await fetch(event.destination.url, { headers: { Accept: "text/html" }, signal: event.signal });
    if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new TypeError("not a page");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (event.signal.aborted) return;
    if (!find("main", page) || assetsOf(page) !== assetsOf(document)) throw new TypeError("another release");
    if (answer.redirected) history.replaceState(null, "", answer.url);
    replace(page);
    if (event.navigationType === "traverse") event.scroll();
    else window.scrollTo(0, 0);
  } catch (error) {
    if (error.name === "AbortError") return;
    passOn = true;
    location.assign(event.destination.url);
  } finally {
    bar.remove();
  }
}

const assetsOf = (page) => find('script[type="module"]', page)?.getAttribute("src");

function replace(page) {
  leave.abort();
  leave = new AbortController();
  document.title = page.title;
  const search = find("#search", page);
  if (search && document.activeElement?.id !== "search") find("#search").value = search.value;
  swapRegions(page, find(".rail"));
  markPlace(page);
  const main = document.adoptNode(find("main", page));
  find("main").replaceWith(main);
  if (!document.activeElement || document.activeElement === document.body) main.focus({ preventScroll: true });
  announce(document.title);
  shown();
}

function markPlace(page) {
  const current = findAll(".rail a[aria-current]", page).map((link) => link.getAttribute("href"));
  for (const link of findAll(".rail a")) {
    if (current.includes(link.getAttribute("href"))) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function shown() {
  const main = find("main");
  localise(document);
  for (const place of findAll(".viewer-bar")) place.hidden = !place.closest(".document").dataset.pdf;
  mount(main, leave.signal);
}

/** Read the shown page again and take in what differs: regions by name, rows by document. Gives back the new page. */
export function refresh() {
  refreshing ??= again().finally(() => (refreshing = null));
  return refreshing;
}

async function again() {
  const { signal } = leave;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal });
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (signal.aborted || !find("main", page)) return null;
    swapRegions(page, document);
    swapRows(page);
    return page;
  } catch {
    return null;
  }
}

function swapRegions(page, within) {
  for (const place of findAll("[data-region]", within)) {
    const fresh = find(`[data-region="${place.dataset.region}"]`, page);
    if (!fresh || isBusy(place)) continue;
    if (place.dataset.region === "home" || place.dataset.region === "activity") swapOverview(place, fresh);
    else if (plain(fresh) !== (place.plain ?? plain(place))) swap(place, fresh);
  }
}

// What the server sent is compared with what the server sends, not with what scripts made of it.
const plain = (element) => element.innerHTML;

export function swap(place, fresh) {
  const text = plain(fresh);
  const taken = document.adoptNode(fresh);
  if (place.open) taken.open = true;
  place.replaceWith(taken);
  taken.plain = text;
  localise(taken);
  return taken;
}

function swapOverview(place, fresh) {
  const text = plain(fresh);
  if (place.plain === text) return;
  const focused = document.activeElement?.closest(".row")?.dataset.id;
  const known = new Map(findAll(".row", place).map((row) => [row.dataset.id, row.dataset.revision]));
  const taken = swap(place, fresh);
  taken.plain = text;
  if (focused) find(`.row[data-id="${CSS.escape(focused)}"] .row-link`, taken)?.focus({ preventScroll: true });
  for (const row of findAll(".row", taken)) if (known.size && !known.has(row.dataset.id)) row.classList.add("fresh");
}

function swapRows(page) {
  for (const row of findAll("[data-rows] .row")) {
    const fresh = find(`[data-rows] .row[data-id="${CSS.escape(row.dataset.id)}"]`, page);
    if (!fresh || fresh.dataset.revision === row.dataset.revision) continue;
    const focused = row.contains(document.activeElement);
    const taken = swap(row, fresh);
    if (focused) find(".row-link", taken)?.focus({ preventScroll: true });
  }
}

// A menu that is open or a field that is being filled in is left alone.
function isBusy(place) {
  const active = document.activeElement;
  return place.open === true || (place.contains(active) && active.matches("input, select, textarea"));
}
