// The keys. They do nothing while somebody types, and nothing with a modifier held.

import { find, findAll, h } from "./dom.js";
import { go } from "./navigate.js";

const PLACES = { d: "/documents", r: "/review", a: "/activity", h: "/" };
let prefix = 0;

/** `actions` maps a key to what the shown page does with it (j, k, e, a); others are the same on every page. */
export const pageKeys = new Map();

export function startKeys({ upload }) {
  const everywhere = { "/": focusSearch, u: upload, "?": showKeys };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return leaveField(event);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (find("dialog[open]")) return;
    if (Date.now() - prefix < 1200 && PLACES[event.key]) {
      prefix = 0;
      event.preventDefault();
      return go(PLACES[event.key]);
    }
    if (event.key === "g") return (prefix = Date.now());
    const act = pageKeys.get(event.key) ?? everywhere[event.key] ?? rowKeys[event.key];
    if (act && act(event) !== false) event.preventDefault();
  });
  document.addEventListener("click", closeMenus);
}

function isTyping(target) {
  if (target.isContentEditable) return true;
  return target.matches?.("input:not([type=checkbox], [type=radio], [type=button], [type=file]), textarea, select") ?? false;
}

function focusSearch() {
  const field = find("#search");
  field.focus();
  field.select();
}

function leaveField(event) {
  const menu = event.target.closest?.("details.menu[open]");
  if (menu) {
    menu.open = false;
    find("summary", menu).focus();
  } else if (event.target.id === "search") event.target.blur();
}

function closeMenus(event) {
  for (const menu of findAll("details.menu[open]")) {
    const inside = menu.contains(event.target);
    if (!inside || event.target.closest(".menu-sheet :is(a, button[data-act])")) menu.open = false;
  }
}

const rowKeys = { j: () => step(1), k: () => step(-1), ArrowDown: () => inRows() && step(1), ArrowUp: () => inRows() && step(-1) };

const inRows = () => document.activeElement?.matches(".row-link") ?? false;

function step(by) {
  const links = findAll("main .row-link");
  if (!links.length) return false;
  const here = links.indexOf(document.activeElement?.closest(".row")?.querySelector(".row-link"));
  const next = here < 0 ? (by > 0 ? 0 : links.length - 1) : here + by;
  links[Math.max(0, Math.min(next, links.length - 1))].focus();
  return true;
}

async function showKeys() {
  const dialog = h("dialog", { "aria-labelledby": "keys-dialog-title" }, h("h2", { id: "keys-dialog-title" }, "Keys"), keysList());
  dialog.append(h("form", { method: "dialog", class: "dialog-end" }, h("button", { class: "button" }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

const keysList = () => find("#keys-list").content.cloneNode(true);
