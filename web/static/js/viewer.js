// The pages of a document: drawn by pdf.js as they come into sight, with their text to select, the hits of a search and
// the places where values were read. Nothing in a document is run: no scripts, no forms, no links.

import { find, findAll, h, note } from "./dom.js";

const MOST_PIXELS = 16_000_000;
const KEPT_PAGES = 12;
const STEPS = [0.25, 0.35, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4];

const vendor = new URL("../vendor/pdfjs/", import.meta.url).href;
let library = null;

async function pdfjs() {
  library ??= import("../vendor/pdfjs/build/pdf.min.mjs");
  const found = await library;
  found.GlobalWorkerOptions.workerSrc = `${vendor}build/pdf.worker.min.mjs`;
  return found;
}

export class Viewer {
  #root;
  #pane;
  #signal;
  #pdf = null;
  #pages = [];
  #zoom = null;
  #drawn = [];
  #observer = null;
  #marked = null;
  #hits = [];
  #hit = -1;
  #words = [];

  constructor(root, signal) {
    this.#root = root;
    this.#pane = find(".pages", root);
    this.#signal = signal;
    this.#listen();
    signal.addEventListener("abort", () => this.#close());
  }

  /** Show a PDF; `query` is what was searched for, `page` where to begin. */
  async open(url, query = "", page = null) {
    try {
      const { getDocument } = await pdfjs();
      if (this.#signal.aborted) return;
      const task = getDocument({
        url,
        cMapUrl: `${vendor}cmaps/`,
        standardFontDataUrl: `${vendor}standard_fonts/`,
        wasmUrl: `${vendor}wasm/`,
        iccUrl: `${vendor}iccs/`,
        enableXfa: false,
        verbosity: 0,
        disableAutoFetch: true,
        disableStream: true,
        disableWorkerRendering: true,
        rangeChunkSize: 262144,
        canvasMaxAreaInBytes: MOST_PIXELS * 4,
      });
      this.#signal.addEventListener("abort", () => task.destroy());
      this.#pdf = await task.promise;
      await this.#lay(Number(page) || 1);
      if (query) await this.#search(query);
    } catch (error) {
      if (this.#signal.aborted) return;
      console.warn("the pages cannot be shown", error);
      note("The pages cannot be shown here. They can be downloaded.", { seconds: 10 });
    }
  }

  /** Mark a place ({page, boxes}) where a value was read, or nothing. */
  mark(place) {
    this.#marked = place;
    for (const each of this.#pages) this.#drawBoxes(each);
  }

  /** Mark a place and bring it into sight. */
  show(place) {
    this.mark(place);
    const page = this.#pages[place.page - 1];
    if (!page) return;
    const box = find(".box", page.boxes);
    this.#bring(box ?? page.element, box ? "center" : "start");
  }

  #listen() {
    const acts = {
      "page-up": () => this.#turn(-1),
      "page-down": () => this.#turn(1),
      "zoom-in": () => this.#step(1),
      "zoom-out": () => this.#step(-1),
      "zoom-fit": () => this.#setZoom(null),
      "hit-next": () => this.#goHit(this.#hit + 1),
      "hit-previous": () => this.#goHit(this.#hit - 1),
    };
    const signal = this.#signal;
    this.#root.addEventListener("click", (event) => acts[event.target.closest("[data-act]")?.dataset.act]?.(), { signal });
    find('[data-act="page"]', this.#root).addEventListener("change", (event) => this.#goPage(Number(event.target.value)), { signal });
    // On a desk the pane scrolls, on a phone the whole page does.
    this.#pane.addEventListener("scroll", () => this.#tellPage(), { signal, passive: true });
    window.addEventListener("scroll", () => this.#tellPage(), { signal, passive: true });
    let width = 0;
    const resized = new ResizeObserver(() => {
      if (this.#zoom !== null || !this.#pdf || Math.abs(this.#pane.clientWidth - width) < 2) return;
      width = this.#pane.clientWidth;
      clearTimeout(this.resizing);
      this.resizing = setTimeout(() => this.#setZoom(null), 120);
    });
    resized.observe(this.#pane);
    this.#signal.addEventListener("abort", () => resized.disconnect());
  }

  async #lay(first) {
    const sample = await this.#pdf.getPage(1);
    const { width, height } = sample.getViewport({ scale: 1 });
    this.#pages = Array.from({ length: this.#pdf.numPages }, (_, index) => this.#frame(index + 1, width, height));
    this.#pane.replaceChildren(...this.#pages.map((page) => page.element));
    find("[data-pages]", this.#root).textContent = String(this.#pdf.numPages);
    find('[data-act="page"]', this.#root).max = String(this.#pdf.numPages);
    this.#size();
    this.#observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "60% 0px" });
    for (const page of this.#pages) this.#observer.observe(page.element);
    if (first > 1) this.#goPage(first);
  }

  #frame(number, width, height) {
    const boxes = h("div", { class: "boxes", "aria-hidden": "true" });
    const element = h("div", { class: "page", "data-number": String(number) }, boxes);
    return { number, element, boxes, width, height, known: false, drawing: null, seen: false };
  }

  #scale() {
    if (this.#zoom !== null) return this.#zoom;
    const style = getComputedStyle(this.#pane);
    const room = this.#pane.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const widest = Math.max(...this.#pages.map((page) => page.width));
    return Math.min(room / widest, 2.2);
  }

  #size() {
    const scale = this.#scale();
    for (const page of this.#pages) {
      page.element.style.width = `${page.width * scale}px`;
      page.element.style.height = `${page.height * scale}px`;
      page.element.style.setProperty("--total-scale-factor", String(scale));
    }
  }

  #setZoom(zoom) {
    if (!this.#pdf) return;
    const here = this.#currentPage();
    const within = here ? (this.#pane.getBoundingClientRect().top - here.element.getBoundingClientRect().top) / here.element.offsetHeight : 0;
    this.#zoom = zoom;
    this.#size();
    if (here && this.#pane.scrollHeight > this.#pane.clientHeight) this.#pane.scrollTop = here.element.offsetTop + within * here.element.offsetHeight;
    for (const page of this.#pages) if (page.drawing) this.#erase(page);
    for (const page of this.#pages) if (page.seen) this.#draw(page);
  }

  #step(by) {
    const scale = this.#scale();
    const next = by > 0 ? STEPS.find((step) => step > scale * 1.02) : STEPS.findLast((step) => step < scale * 0.98);
    if (next) this.#setZoom(next);
  }

  #seen(entries) {
    for (const entry of entries) {
      const page = this.#pages[Number(entry.target.dataset.number) - 1];
      page.seen = entry.isIntersecting;
      if (page.seen) this.#draw(page);
    }
    this.#tellPage();
  }

  async #draw(page) {
    if (page.drawing) return;
    const drawing = { cancel: () => {} };
    page.drawing = drawing;
    try {
      const { TextLayer } = await pdfjs();
      const proxy = await this.#pdf.getPage(page.number);
      if (page.drawing !== drawing || !page.seen) return this.#erase(page, drawing);
      this.#measure(page, proxy);
      const scale = this.#scale();
      const viewport = proxy.getViewport({ scale });
      const density = Math.min(devicePixelRatio || 1, Math.sqrt(MOST_PIXELS / (viewport.width * viewport.height)));
      const canvas = h("canvas", { role: "img", "aria-label": `Page ${page.number}` });
      canvas.width = Math.floor(viewport.width * density);
      canvas.height = Math.floor(viewport.height * density);
      const task = proxy.render({ canvas, viewport: proxy.getViewport({ scale: scale * density }) });
      drawing.cancel = () => task.cancel();
      await task.promise;
      if (page.drawing !== drawing) return;
      const layer = h("div", { class: "textLayer" });
      findAll("canvas, .textLayer", page.element).forEach((each) => each.remove());
      page.element.prepend(canvas, layer);
      this.#drawBoxes(page);
      this.#remember(page);
      const text = new TextLayer({ textContentSource: proxy.streamTextContent(), container: layer, viewport });
      drawing.cancel = () => text.cancel();
      await text.render();
      this.#highlight();
    } catch (error) {
      if (error?.name !== "RenderingCancelledException" && error?.name !== "AbortException" && !this.#signal.aborted) console.warn(`page ${page.number} could not be drawn`, error);
    }
  }

  // Pages may differ from the first in size; the right one is known when a page is looked at.
  #measure(page, proxy) {
    if (page.known) return;
    page.known = true;
    const { width, height } = proxy.getViewport({ scale: 1 });
    if (Math.abs(width - page.width) < 0.5 && Math.abs(height - page.height) < 0.5) return;
    Object.assign(page, { width, height });
    const before = page.element.getBoundingClientRect();
    const height_ = page.element.offsetHeight;
    this.#size();
    if (before.bottom < this.#pane.getBoundingClientRect().top) this.#pane.scrollTop += page.element.offsetHeight - height_;
  }

  // A few pages stay drawn; those that were looked at longest ago are let go, so that memory does not grow.
  #remember(page) {
    this.#drawn = this.#drawn.filter((each) => each !== page);
    this.#drawn.push(page);
    for (const old of this.#drawn.slice(0, Math.max(0, this.#drawn.length - KEPT_PAGES))) if (!old.seen) this.#erase(old);
  }

  #erase(page, drawing = page.drawing) {
    if (page.drawing !== drawing) return;
    drawing?.cancel();
    page.drawing = null;
    if (page.seen) return;
    this.#drawn = this.#drawn.filter((each) => each !== page);
    findAll("canvas, .textLayer", page.element).forEach((each) => each.remove());
  }

  #drawBoxes(page) {
    const boxes = this.#marked?.page === page.number ? this.#marked.boxes : [];
    page.boxes.replaceChildren(...boxes.map((box) => this.#box(page, box)));
  }

  #box(page, [left, top, right, bottom]) {
    const room = 2;
    const element = h("div", { class: "box" });
    element.style.left = `${(100 * (left - room)) / page.width}%`;
    element.style.top = `${(100 * (top - room)) / page.height}%`;
    element.style.width = `${(100 * (right - left + 2 * room)) / page.width}%`;
    element.style.height = `${(100 * (bottom - top + 2 * room)) / page.height}%`;
    return element;
  }

  // Places ------------------------------------------------------------------------------------------------------------

  #currentPage() {
    const top = Math.max(this.#pane.getBoundingClientRect().top, 0) + 80;
    return this.#pages.find((page) => page.element.getBoundingClientRect().bottom > top) ?? this.#pages.at(-1);
  }

  #tellPage() {
    const field = find('[data-act="page"]', this.#root);
    const page = this.#currentPage();
    if (page && document.activeElement !== field) field.value = String(page.number);
  }

  #turn(by) {
    const here = this.#currentPage();
    if (here) this.#goPage(here.number + by);
  }

  #goPage(number) {
    const page = this.#pages[Math.max(1, Math.min(number, this.#pages.length)) - 1];
    if (page) this.#bring(page.element, "start");
  }

  #bring(element, block) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const far = Math.abs(element.getBoundingClientRect().top) > 3000;
    element.scrollIntoView({ block, inline: "nearest", behavior: calm || far ? "instant" : "smooth" });
  }

  // Hits --------------------------------------------------------------------------------------------------------------

  async #search(query) {
    this.#words = wordsOf(query);
    if (!this.#words.length) return;
    this.#highlight();
    const found = [];
    for (let number = 1; number <= Math.min(this.#pdf.numPages, 2000); number += 1) {
      const proxy = await this.#pdf.getPage(number);
      const { items } = await proxy.getTextContent();
      if (this.#signal.aborted) return;
      const text = items.map((item) => item.str + (item.hasEOL ? "\n" : "")).join("");
      const matches = matchesIn(text, this.#words);
      matches.forEach((_, index) => found.push({ page: number, index }));
      if (number % 25 === 0 || number === this.#pdf.numPages) this.#tellHits(found);
    }
    this.#tellHits(found);
  }

  #tellHits(found) {
    this.#hits = found;
    find("#hits", this.#root).hidden = !found.length;
    const here = this.#currentPage()?.number ?? 1;
    if (this.#hit < 0) this.#hit = found.findIndex((hit) => hit.page >= here);
    this.#writeHits();
    this.#highlight();
  }

  #writeHits() {
    const all = this.#hits.length;
    find("[data-hits]", this.#root).textContent = this.#hit >= 0 ? `${this.#hit + 1} of ${all} hits` : `${all} hits`;
  }

  async #goHit(place) {
    const all = this.#hits.length;
    if (!all) return;
    this.#hit = (place + all) % all;
    this.#writeHits();
    const page = this.#pages[this.#hits[this.#hit].page - 1];
    if (!find(".textLayer", page.element)) this.#goPage(page.number);
    this.#highlight();
    const range = this.#current;
    if (range) this.#bring(range.startContainer.parentElement, "center");
  }

  #current = null;

  #highlight() {
    if (!this.#words.length || !window.Highlight) return;
    const all = new Highlight();
    const current = new Highlight();
    const hit = this.#hits[this.#hit];
    this.#current = null;
    for (const page of this.#pages) {
      const layer = find(".textLayer", page.element);
      if (!layer) continue;
      rangesIn(layer, this.#words).forEach((range, index) => {
        const isCurrent = hit?.page === page.number && hit.index === index;
        if (isCurrent) this.#current = range;
        (isCurrent ? current : all).add(range);
      });
    }
    CSS.highlights.set("hit", all);
    CSS.highlights.set("hit-current", current);
  }

  #close() {
    this.#observer?.disconnect();
    CSS.highlights?.clear();
  }
}

const fold = (text) => text.normalize("NFD").replaceAll(/\p{M}/gu, "").toLowerCase();

/** The words to mark: those that are looked for, without signs and words that are left out. */
function wordsOf(query) {
  const kept = query.replaceAll(/(^|\s)-\S+/g, " ");
  return [...new Set(fold(kept).match(/[\p{L}\p{N}]+/gu) ?? [])].filter((word) => word.length > 1 || /\p{N}|\p{Script=Han}/u.test(word));
}

// Folding can change the length of a text; the map leads from each folded letter back to the one it came from.
function folded(text) {
  let plain = "";
  const origin = [];
  for (let place = 0; place < text.length; ) {
    const letter = String.fromCodePoint(text.codePointAt(place));
    for (const part of fold(letter)) {
      for (let unit = 0; unit < part.length; unit += 1) origin.push(place);
      plain += part;
    }
    place += letter.length;
  }
  origin.push(text.length);
  return { plain, origin };
}

/** Where words begin with one of those looked for: [start, end] in the text. */
function matchesIn(text, words) {
  const { plain, origin } = folded(text);
  const wanted = words.map((word) => (/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Thai}/u.test(word) ? word : `(?<![\\p{L}\\p{N}])${word}${word.length > 3 ? "\\p{L}{0,3}(?![\\p{L}\\p{N}])" : "(?![\\p{L}\\p{N}])"}`));
  const pattern = new RegExp(wanted.join("|"), "gu");
  return [...plain.matchAll(pattern)].map((match) => [origin[match.index], origin[match.index + match[0].length]]);
}

function rangesIn(layer, words) {
  const walker = document.createTreeWalker(layer, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  const pieces = [];
  let text = "";
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeName === "BR") text += "\n";
    else if (node.nodeType === Node.TEXT_NODE) {
      pieces.push({ node, start: text.length });
      text += node.data;
    }
  }
  return matchesIn(text, words).map(([start, end]) => rangeOf(pieces, start, end)).filter(Boolean);
}

function rangeOf(pieces, start, end) {
  const from = pieces.findLast((piece) => piece.start <= start);
  const to = pieces.findLast((piece) => piece.start < end);
  if (!from || !to) return null;
  const range = new Range();
  range.setStart(from.node, Math.min(start - from.start, from.node.length));
  range.setEnd(to.node, Math.min(end - to.start, to.node.length));
  return range;
}
