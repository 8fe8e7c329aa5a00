// Uploads: chosen, dropped on any page, or whole folders; three at a time; each file's way shown until it is done.
// What was sent is kept in the session, so that the tray is there again after a reload; the file that is being sent
// itself cannot be, so the browser asks before such a page is left.

import { announce, calmly, find, h, icon } from "./dom.js";
import { api, errorOf } from "./api.js";
import { onChange } from "./live.js";
import { sizeWords } from "./dates.js";

const AT_ONCE = 3;
const KEPT = "uploads";
const MOST_SHOWN = 200;
const POLL_MILLISECONDS = 4000;
const FOLD_MILLISECONDS = 10000;

/** name, id, phase: waiting | sending | processing | done | attention | failed | duplicate; what is said of it. */
let items = [];
let folded = false;
let tray = null;
let number = 0;
let folding = null;
const requests = new Map();
const drawn = new Map();

export function startTray() {
  ({ items, folded } = restored());
  onChange((summary) => (summary ? follow(summary) : ask()));
  setInterval(() => isFollowing() && ask(), POLL_MILLISECONDS);
  addEventListener("beforeunload", (event) => isSending() && event.preventDefault());
  startDropping();
  document.addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (act !== "upload" && act !== "upload-folder") return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(act === "upload-folder");
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "upload-form") return;
    event.preventDefault();
    const field = find("input[type=file]", event.target);
    add([...field.files]);
    event.target.reset();
  });
  draw();
}

/** Let a person choose files, or a folder. */
export function choose(folder = false) {
  const field = h("input", { type: "file", multiple: true, webkitdirectory: folder || null, class: "visually-hidden", tabindex: "-1" });
  field.addEventListener("change", () => (add([...field.files]), field.remove()));
  field.addEventListener("cancel", () => field.remove());
  document.body.append(field);
  field.click();
}

/** Put files into the queue. Hidden files that folders carry (.DS_Store and the like) are left out. */
export function add(files) {
  const wanted = files.filter((file) => !file.name.startsWith(".") && file.name !== "Thumbs.db");
  for (const file of wanted) queue(file);
  if (wanted.length) announce(`${wanted.length} ${wanted.length === 1 ? "file" : "files"} added to the upload`);
  pump();
}

function queue(file, { force = false } = {}) {
  const most = Number(document.body.dataset.maxUpload);
  const item = { key: `${Date.now()}-${number++}`, name: file.name, size: file.size, phase: "waiting", said: "Waiting", file, force };
  if (most && file.size > most) fail(item, `Larger than ${sizeWords(most)}, the limit of this server. Split the file, or ask the operator.`, false);
  items.unshift(item);
  folded = false;
}

function pump() {
  const waiting = items.filter((item) => item.phase === "waiting").reverse();
  for (const item of waiting.slice(0, Math.max(0, AT_ONCE - requests.size))) send(item);
  draw();
}

function send(item) {
  const request = new XMLHttpRequest();
  const body = new FormData();
  if (item.force) body.append("force", "true");
  body.append("file", item.file, item.name);
  requests.set(item.key, request);
  Object.assign(item, { phase: "sending", said: "Sending", done: 0, total: 100 });
  request.open("POST", "/api/documents");
  request.setRequestHeader("Idempotency-Key", `web-${item.key}-${item.name.length}-${item.size}`);
  request.upload.onprogress = (event) => sent(item, event);
  request.onload = () => answered(item, request);
  request.onerror = () => fail(item, "The connection broke while the file was being sent.", true);
  request.onabort = () => remove(item);
  request.onloadend = () => (requests.delete(item.key), pump());
  request.send(body);
}

function sent(item, event) {
  if (item.phase !== "sending" || !event.lengthComputable) return;
  item.done = Math.floor((100 * event.loaded) / event.total);
  item.said = item.done < 100 ? `Sending, ${item.done} %` : "Sent; being stored";
  drawSoon();
}

function answered(item, request) {
  let content = null;
  try {
    content = JSON.parse(request.responseText);
  } catch {
    // What is no JSON has no words for a person; errorOf finds some.
  }
  if (request.status >= 300 || !content?.documents?.length) {
    const retry = request.status === 0 || request.status === 429 || request.status >= 500;
    return fail(item, errorOf(request.status, content).message, retry);
  }
  const [stored] = content.documents;
  item.id = stored.id;
  delete item.done;
  if (stored.duplicate_of) return duplicate(item, stored);
  item.file = null;
  Object.assign(item, { phase: "processing", said: "Waiting to be converted" });
  ask();
}

function duplicate(item, stored) {
  const said = stored.trashed ? "Already here, in the trash" : "Already here; nothing new was stored";
  Object.assign(item, { phase: "duplicate", said, trashed: stored.trashed, id: stored.duplicate_of });
  announce(`${item.name}: ${said}`);
}

function fail(item, said, retry) {
  Object.assign(item, { phase: "failed", said, retry: retry && Boolean(item.file) });
  announce(`${item.name}: ${said}`);
}

const STEPS = { convert: "Converting…", ocr: "Recognizing text…", enrich: "Extracting facts…", index: "Adding to search…" };

function follow(summary) {
  const item = items.find((each) => each.id === summary.id && each.phase === "processing");
  if (!item) return;
  const progress = summary.progress;
  if (summary.status === "ready") {
    Object.assign(item, { phase: "done", said: summary.title, done: null });
    announce(`${item.name} is ready`);
  } else if (summary.status === "attention") {
    Object.assign(item, { phase: "attention", said: summary.message || "Needs you", done: null });
    announce(`${item.name} needs you`);
  } else if (summary.status === "trashed") {
    Object.assign(item, { phase: "done", said: "Moved to the trash", done: null });
  } else if (progress?.step === "ocr" && progress.total) {
    Object.assign(item, { said: `Recognizing ${progress.done} of ${progress.total} pages`, done: progress.done, total: progress.total });
  } else Object.assign(item, { said: STEPS[progress?.step] ?? "Processing…", done: null });
  drawSoon();
}

const isFollowing = () => !document.hidden && items.some((item) => item.phase === "processing");
const isSending = () => items.some((item) => item.phase === "sending" || item.phase === "waiting");

async function ask() {
  const following = items.filter((item) => item.phase === "processing").slice(0, 20);
  await Promise.all(following.map((item) => askFor(item)));
}

async function askFor(item) {
  try {
    follow(await api("GET", `/api/documents/${item.id}`));
  } catch (error) {
    if (error.status === 404) remove(item);
  }
}

function remove(item) {
  items = items.filter((each) => each !== item);
  draw();
}

async function restore(item) {
  try {
    await api("POST", `/api/documents/${item.id}/restore`);
    Object.assign(item, { phase: "done", said: "Taken out of the trash" });
  } catch (error) {
    item.said = error.message;
  }
  draw();
}

// Drawing ---------------------------------------------------------------------------------------------------------

const drawSoon = calmly(120, () => draw());

function draw() {
  keep();
  foldWhenDone();
  if (!items.length) {
    tray?.remove();
    tray = null;
    drawn.clear();
    return;
  }
  tray ??= frame();
  tray.classList.toggle("folded", folded);
  find("h2", tray).textContent = headline();
  find('[data-tray="fold"]', tray).setAttribute("aria-expanded", String(!folded));
  find('[data-tray="clear"]', tray).hidden = !items.some(isOver);
  const list = find(".tray-list", tray);
  const shown = items.slice(0, MOST_SHOWN);
  for (const [item, row] of drawn) if (!shown.includes(item)) (row.element.remove(), drawn.delete(item));
  shown.forEach((item, place) => drawItem(list, item, place));
}

/** When everything has gone well, the tray makes room by itself; what failed or needs somebody stays in sight. */
function foldWhenDone() {
  clearTimeout(folding);
  if (folded || !items.every((item) => item.phase === "done")) return;
  folding = setTimeout(() => {
    if (tray?.matches(":hover, :focus-within")) return foldWhenDone();
    folded = true;
    draw();
  }, FOLD_MILLISECONDS);
}

function frame() {
  const fold = h("button", { class: "button plain only-icon", type: "button", "data-tray": "fold", "data-act": "fold", title: "Fold", onclick: () => ((folded = !folded), draw()) }, icon("down", "Fold the list of uploads"));
  const clear = h("button", { class: "button plain only-icon", type: "button", "data-tray": "clear", title: "Clear what is done", onclick: () => ((items = items.filter((item) => !isOver(item))), draw()) }, icon("close", "Clear what is done"));
  const own = h("section", { class: "tray", "aria-label": "Uploads" }, h("div", { class: "tray-head" }, h("h2", {}), fold, clear), h("ul", { class: "tray-list" }));
  document.body.append(own);
  return own;
}

const isOver = (item) => ["done", "attention", "failed", "duplicate"].includes(item.phase);

function headline() {
  const sending = items.filter((item) => item.phase === "sending" || item.phase === "waiting").length;
  const working = items.filter((item) => item.phase === "processing").length;
  const failed = items.filter((item) => item.phase === "failed").length;
  const files = (count) => `${count} ${count === 1 ? "file" : "files"}`;
  if (sending) return `Sending ${files(sending)}`;
  if (working) return `${files(working)} in work`;
  return failed ? `${files(failed)} not uploaded` : `${files(items.length)} uploaded`;
}

const PICTURES = { waiting: "clock", sending: "upload", processing: "clock", done: "done", attention: "alert", failed: "failed", duplicate: "documents" };

function drawItem(list, item, place) {
  const state = `${item.phase}|${item.said}|${item.retry}|${item.trashed}`;
  const known = drawn.get(item);
  if (known?.state === state) {
    const bar = find("progress", known.element);
    if (bar && Number.isFinite(item.done)) bar.value = item.done;
    return;
  }
  const element = h(
    "li",
    { class: `tray-item ${item.phase}` },
    icon(PICTURES[item.phase]),
    h("div", {}, name(item), h("p", { class: "tray-state" }, item.said)),
    h("div", {}, tools(item)),
    ["sending", "processing"].includes(item.phase) ? bar(item) : null,
  );
  if (known) known.element.replaceWith(element);
  else list.insertBefore(element, list.children[place] ?? null);
  drawn.set(item, { element, state });
}

function bar(item) {
  const known = Number.isFinite(item.done);
  const values = known ? { max: item.total || 100, value: item.done } : {};
  return h("progress", { "aria-label": item.name, ...values });
}

function name(item) {
  const words = h("bdi", {}, item.name);
  const attributes = { class: "tray-name", title: item.name };
  return item.id ? h("p", attributes, h("a", { href: `/documents/${item.id}` }, words)) : h("p", attributes, words);
}

function tools(item) {
  const button = (words, onclick) => h("button", { class: "button", type: "button", onclick }, words);
  if (item.phase === "waiting") return button("Cancel", () => remove(item));
  if (item.phase === "sending") return button("Cancel", () => requests.get(item.key)?.abort());
  if (item.phase === "failed" && item.retry) return button("Send again", () => (Object.assign(item, { phase: "waiting", said: "Waiting" }), pump()));
  if (item.phase === "duplicate" && item.trashed) return button("Take back", () => restore(item));
  if (item.phase === "duplicate" && item.file) return button("Store anyway", () => storeAnyway(item));
  return null;
}

function storeAnyway(item) {
  const { file } = item;
  remove(item);
  queue(file, { force: true });
  pump();
}

// Kept across reloads ---------------------------------------------------------------------------------------------

function keep() {
  const lasting = items.filter((item) => item.id || item.phase === "failed").slice(0, MOST_SHOWN);
  const plain = lasting.map(({ key, name, phase, said, id, trashed }) => ({ key, name, phase, said, id, trashed }));
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ items: plain, folded }));
  } catch {
    // A browser that keeps nothing shows the tray until the page is left.
  }
}

function restored() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT));
    return { items: Array.isArray(found?.items) ? found.items : [], folded: found?.folded === true };
  } catch {
    return { items: [], folded: false };
  }
}

// Dropping --------------------------------------------------------------------------------------------------------

function startDropping() {
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let target = null;
  let leaving = null;
  const hide = () => (target?.remove(), (target = null));
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    clearTimeout(leaving);
    leaving = setTimeout(hide, 250);
    if (target) return;
    target = h("div", { class: "drop-target" }, h("div", {}, icon("upload"), h("p", {}, "Drop to upload")));
    document.body.append(target);
  });
  document.addEventListener("drop", async (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    hide();
    add(await filesOf(event.dataTransfer));
  });
}

/** All files that were dropped, those in folders too. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    return;
  }
  const reader = entry.createReader();
  // A reader gives a hundred entries at a time, and none when it is at the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await walk(each, found);
  }
}
