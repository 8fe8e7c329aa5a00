// One document: tabs, divider, neighbours, what can be done with it, and its state as it changes.

import { announce, calmly, find, findAll, h, icon, note } from "./dom.js";
import { api, errorOf } from "./api.js";
import { momentWords } from "./dates.js";
import { mountFacts } from "./facts.js";
import { pageKeys } from "./keys.js";
import { remembered } from "./list.js";
import { onChange } from "./live.js";
import { go, refresh, swap } from "./navigate.js";
import { Viewer } from "./viewer.js";

const SHARE = "pages-share";

export function mountDocument(main, signal) {
  const root = find(".document", main);
  const viewer = new Viewer(find(".viewer", root), signal);
  const open = () => root.dataset.pdf && viewer.open(root.dataset.pdf, root.dataset.query, new URLSearchParams(location.search).get("page"));
  mountTabs(root, signal);
  mountDivider(root, signal);
  mountNeighbours(root);
  mountFacts(root, viewer, { reload: () => reload(root, open) });
  mountActions(root, () => reload(root, open));
  mountEvents(root);
  tellReview(root);
  const look = calmly(400, () => reload(root, open));
  onChange((summary) => (summary === null || summary.id === root.dataset.id) && look(), signal);
  open();
}

/** Take in what changed; open the pages when they have become available. */
async function reload(root, open) {
  const page = await refresh();
  const fresh = page && find(".document", page);
  if (!fresh || fresh.dataset.id !== root.dataset.id) return;
  const opens = fresh.dataset.pdf && !root.dataset.pdf;
  root.dataset.version = fresh.dataset.version;
  root.dataset.status = fresh.dataset.status;
  root.dataset.pdf = fresh.dataset.pdf;
  swapFacts(root, fresh);
  tellReview(root);
  if (find("#tab-text", root).dataset.text !== find("#tab-text", fresh).dataset.text) {
    find("#tab-text", root).dataset.text = find("#tab-text", fresh).dataset.text;
    loadText(root);
  }
  if (opens) {
    find(".viewer-bar", root).hidden = false;
    open();
  }
}

function swapFacts(root, fresh) {
  const order = findAll("[data-region-facts] > .fact", fresh).map((fact) => fact.dataset.field);
  for (const place of findAll("[data-region-facts] > .fact", root)) {
    const taken = find(`.fact[data-field="${place.dataset.field}"]`, fresh);
    if (!taken || place.classList.contains("editing") || find("input:focus", place)) continue;
    if (taken.outerHTML === (place.plain ?? place.outerHTML)) continue;
    const text = taken.outerHTML;
    const focused = place.contains(document.activeElement);
    const said = find(".said", place);
    const now = swap(place, taken);
    now.plain = text;
    if (said) find("dt", now).append(said);
    if (focused) find(".value, input", now)?.focus({ preventScroll: true });
  }
  arrange(find("[data-region-facts]", root), order);
}

/** Bring the facts into the server's order, moving as few as possible: what is moved loses the focus. */
function arrange(facts, order) {
  order.forEach((field, place) => {
    const fact = find(`:scope > .fact[data-field="${field}"]`, facts);
    const there = facts.children[place];
    if (fact === there) return;
    const focused = fact.contains(document.activeElement) ? document.activeElement : null;
    facts.insertBefore(fact, there);
    focused?.focus({ preventScroll: true });
  });
}

// Tabs ----------------------------------------------------------------------------------------------------------------

function mountTabs(root, signal) {
  const links = findAll(".tabs a", root);
  find(".tabs", root).addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const url = new URL(location.href);
    url.searchParams.set("tab", link.dataset.tab);
    history.replaceState(null, "", url);
    show(root, links, link.dataset.tab);
  }, { signal });
  const url = new URLSearchParams(location.search);
  for (const link of links) link.href = `?${new URLSearchParams([...url].filter(([name]) => name !== "tab").concat([["tab", link.dataset.tab]]))}`;
  show(root, links, find(".tabs a[aria-current]", root).dataset.tab);
}

function show(root, links, tab) {
  for (const link of links) {
    if (link.dataset.tab === tab) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    find(`#tab-${link.dataset.tab}`, root).hidden = link.dataset.tab !== tab;
  }
  if (tab === "text") loadText(root);
}

async function loadText(root) {
  const place = find("#tab-text", root);
  if (place.hidden || !place.dataset.text || place.loaded === place.dataset.text) return;
  place.loaded = place.dataset.text;
  try {
    const answer = await fetch(`${place.dataset.text}?format=plain`);
    if (!answer.ok) throw new TypeError(String(answer.status));
    const pages = (await answer.text()).split("\f");
    place.replaceChildren(...pages.map((text, index) => textPage(text, index + 1, pages.length)));
  } catch {
    place.loaded = null;
    place.replaceChildren(h("p", { class: "quiet" }, "The text could not be loaded. "), h("p", {}, h("a", { href: place.dataset.text }, "Open the text")));
  }
}

function textPage(text, number, all) {
  const words = text.trim() || "No text on this page.";
  return h("section", { class: "text-page" }, all > 1 ? h("h3", {}, `Page ${number}`) : null, h("pre", { dir: "auto" }, words));
}

// Divider -------------------------------------------------------------------------------------------------------------

function mountDivider(root, signal) {
  const divider = find(".divider", root);
  const split = find(".split", root);
  const set = (share) => {
    const kept = Math.max(30, Math.min(80, Math.round(share)));
    split.style.setProperty("--pages-share", `${kept}fr`);
    split.style.setProperty("--facts-share", `${100 - kept}fr`);
    divider.setAttribute("aria-valuenow", String(kept));
    try {
      localStorage.setItem(SHARE, String(kept));
    } catch {
      // Not remembered, then.
    }
  };
  set(Number(stored(SHARE)) || 58);
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    const box = split.getBoundingClientRect();
    const move = (moved) => set((100 * (moved.clientX - box.left)) / box.width);
    divider.addEventListener("pointermove", move, { signal });
    divider.addEventListener("lostpointercapture", () => divider.removeEventListener("pointermove", move), { once: true });
  }, { signal });
  divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
    if (!by) return;
    event.preventDefault();
    set(Number(divider.getAttribute("aria-valuenow")) + by);
  }, { signal });
  divider.addEventListener("dblclick", () => set(58), { signal });
}

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

// Neighbours ----------------------------------------------------------------------------------------------------------

function mountNeighbours(root) {
  const list = remembered();
  const here = list?.ids.indexOf(root.dataset.id) ?? -1;
  if (here < 0) return;
  find('[data-act="back"]', root).href = list.url;
  const places = { previous: list.links[here - 1], next: list.links[here + 1] ?? list.next };
  find("#neighbours", root).hidden = false;
  for (const [act, href] of Object.entries(places)) {
    const link = find(`[data-act="${act}"]`, root);
    if (href) link.href = href;
    else link.setAttribute("aria-disabled", "true");
  }
  pageKeys.set("j", () => places.next && go(places.next));
  pageKeys.set("k", () => places.previous && go(places.previous));
}

// Actions -------------------------------------------------------------------------------------------------------------

function mountActions(root, again) {
  const here = `/api/documents/${root.dataset.id}`;
  const acts = {
    "accept-as-is": async () => {
      await api("POST", `${here}/accept`);
      note("Accepted as it is.");
    },
    "replace-file": () => chooseReplacement(here),
    replay: (button) => replay(here, { from: button.dataset.step, force: button.dataset.force === "true" }),
    trash: async () => {
      await api("DELETE", here);
      note("Moved to the trash.", { action: "Undo", act: () => act(() => api("POST", `${here}/restore`), again) });
    },
    restore: async () => {
      await api("POST", `${here}/restore`);
      note("Taken out of the trash.");
    },
    purge: () => purge(here, find("h1", root).textContent),
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    const work = button && acts[button.dataset.act];
    if (work) act(() => work(button), again, button);
  });
  root.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.act === "other-language") {
      event.preventDefault();
      const options = { language: new FormData(form).get("language") };
      act(() => replay(here, { from: "ocr", force: true, options }), again, find("button", form));
    } else if (form.dataset.act === "other-engine") {
      event.preventDefault();
      const options = { ocr_engine: new FormData(form).get("ocr_engine") };
      act(() => replay(here, { from: "ocr", force: true, options }), again, find("button", form));
    } else if (form.dataset.act === "open-with-password") {
      event.preventDefault();
      unlock(form, here, again);
    }
  });
}

/** Another file in the place of this one: it takes over what a person has set, and this one goes to the trash. */
function chooseReplacement(here) {
  const field = h("input", { type: "file" });
  field.addEventListener("change", () => field.files.length && act(() => sendReplacement(here, field.files[0]), () => {}));
  field.click();
}

async function sendReplacement(here, file) {
  const body = new FormData();
  body.append("file", file);
  note(`Sending ${file.name}…`, { seconds: 600 });
  const answer = await fetch(`${here}/replace`, { method: "POST", headers: { Accept: "application/json" }, body }).catch(() => null);
  const content = await answer?.json().catch(() => null);
  if (!answer?.ok) throw errorOf(answer?.status ?? 0, content);
  const [taken] = content.documents ?? [content];
  note("Replaced. The old file is in the trash.");
  go(`/documents/${taken.id}`);
}

/** Ask first: this one cannot be undone. */
function purge(here, title) {
  const remove = async () => {
    try {
      await api("DELETE", `${here}?purge=true`);
      note("Removed for good.");
      go("/documents?trashed=true");
    } catch (error) {
      note(error.message, { seconds: 12 });
    }
  };
  const dialog = h(
    "dialog",
    { "aria-labelledby": "purge-title", onclose: () => (dialog.returnValue === "remove" && remove(), dialog.remove()) },
    h("h2", { id: "purge-title" }, "Remove for good?"),
    h("p", {}, "“", h("bdi", {}, title), "” is removed with its original and everything made from it. It cannot be taken back."),
    h("form", { method: "dialog", class: "dialog-end" }, h("button", { class: "button", value: "keep", autofocus: true }, "Keep it"), h("button", { class: "button danger", value: "remove" }, "Remove for good")),
  );
  document.body.append(dialog);
  dialog.showModal();
}

async function replay(here, wanted) {
  await api("POST", `${here}/replay`, { body: wanted });
  announce("Started again");
}

async function act(work, again, button = null) {
  if (button) button.disabled = true;
  try {
    await work();
    await again();
  } catch (error) {
    note(error.message, { seconds: 12 });
  } finally {
    if (button) button.disabled = false;
  }
}

async function unlock(form, here, again) {
  const said = find(".error", form);
  said.hidden = true;
  try {
    await api("POST", `${here}/unlock`, { body: { password: new FormData(form).get("password") } });
    await again();
  } catch (error) {
    said.textContent = error.code === "wrong_password" ? "That password does not open the file." : error.message;
    said.hidden = false;
    find("input", form).select();
  }
}

// Review --------------------------------------------------------------------------------------------------------------

/** Say how much a new run would change; both texts are read for that, so it is asked for apart from the page. */
async function tellReview(root) {
  const place = find("[data-review]", root);
  if (!place || place.told) return;
  place.told = true;
  try {
    const { state, fields, text } = await api("GET", place.dataset.review);
    if (state !== "pending") return;
    const changed = fields.filter((field) => field.changed).length;
    const words = [["+", text.words_added], ["−", text.words_removed]].filter(([, number]) => number).map(([sign, number]) => sign + number.toLocaleString());
    const parts = [changed ? `${changed} ${changed === 1 ? "fact" : "facts"}` : null, words.length ? `the text (${words.join(" ")} words)` : null].filter(Boolean);
    if (parts.length) place.textContent = `A new run changed ${parts.join(" and ")}.`;
  } catch {
    // The sentence stays as it is.
  }
}

// Events --------------------------------------------------------------------------------------------------------------

function mountEvents(root) {
  const fold = find("#events", root);
  const link = find("a", fold).getAttribute("href");
  fold.addEventListener("toggle", async () => {
    if (!fold.open) return;
    try {
      const { count, results } = await api("GET", fold.dataset.events);
      const runs = [...Map.groupBy(results, (entry) => entry.runid ?? "")];
      const shown = runs.map(([runid, entries], index) => run(runid, entries, index + 1, runid === fold.dataset.run));
      const more = count > results.length ? h("p", { class: "small" }, h("a", { href: link }, `All ${count.toLocaleString()} events`)) : null;
      const all = link.startsWith("/activity") && !more ? h("p", { class: "small" }, h("a", { href: link }, "Open in the archive")) : null;
      fold.replaceChildren(find("summary", fold), h("div", {}, shown.length ? shown.reverse() : h("p", { class: "quiet" }, "None yet."), more, all));
    } catch (error) {
      note(error.message);
    }
  });
}

/** One pass through the steps: when, whether it repeats an earlier one, and its events. */
function run(runid, entries, number, isCurrent) {
  const repeats = entries.some((entry) => entry.replayof);
  return h(
    "section",
    { class: isCurrent ? "run current" : "run" },
    h("h3", { title: runid }, `Run ${number}`, isCurrent ? h("span", { class: "quiet" }, "the current one") : null, repeats ? h("span", { class: "again" }, icon("again"), "processed again") : null, h("span", { class: "end" }, momentWords(entries[0].recorded_at))),
    h("div", { class: "events" }, entries.map(eventFold)),
  );
}

function eventFold(entry) {
  const whole = { type: entry.type, id: entry.id, source: entry.source, runid: entry.runid, replayof: entry.replayof, data: entry.data };
  return h("details", {}, h("summary", {}, `${new Date(entry.recorded_at).toLocaleTimeString()} · ${entry.summary}`), h("pre", {}, JSON.stringify(whole, null, 2)));
}
