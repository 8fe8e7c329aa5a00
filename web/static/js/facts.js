// Values that are edited where they stand, and the place on the page where each was read.

import { announce, find, findAll, h } from "./dom.js";
import { api } from "./api.js";
import { pageKeys } from "./keys.js";

/** `page.reload()` takes in what the server shows after a change. */
export function mountFacts(root, viewer, page) {
  const facts = find("[data-region-facts]", root);
  const choices = JSON.parse(find("#choices", root).textContent);
  const context = { root, facts, viewer, page, choices };
  facts.addEventListener("click", (event) => clicked(context, event));
  for (const name of ["pointerover", "focusin"]) facts.addEventListener(name, (event) => mark(context, event.target));
  for (const name of ["pointerleave", "focusout"]) facts.addEventListener(name, () => viewer.mark(null));
  facts.addEventListener("keydown", (event) => tagKey(context, event));
  facts.addEventListener("change", (event) => event.target.dataset.act === "tag-add" && addTag(context, event.target));
  pageKeys.set("e", () => onFocused((fact) => edit(context, fact)));
  pageKeys.set("a", () => onFocused((fact) => find('[data-act="accept"]', fact)?.click()));
}

function onFocused(work) {
  const fact = document.activeElement?.closest(".fact");
  if (!fact) return false;
  work(fact);
  return true;
}

function mark({ viewer }, target) {
  const value = target.closest(".fact")?.querySelector(".value[data-page]");
  viewer.mark(value ? place(value) : null);
}

const place = (value) => ({ page: Number(value.dataset.page), boxes: JSON.parse(value.dataset.boxes) });

function clicked(context, event) {
  const fact = event.target.closest(".fact");
  const button = event.target.closest("button");
  if (!fact || !button) return;
  const act = button.dataset.act;
  if (act === "edit") edit(context, fact);
  else if (act === "accept") save(context, fact, raw(fact), "Accepted");
  else if (act === "unlock") change(context, fact, { unlock: [fact.dataset.field] }, "The machine decides again");
  else if (act === "tag-remove") saveTags(context, fact, tagsOf(fact).filter((tag) => tag !== button.dataset.tag));
  else if (button.classList.contains("value")) {
    if (button.dataset.page) context.viewer.show(place(button));
    else edit(context, fact);
  }
}

const raw = (fact) => JSON.parse(fact.dataset.raw);

// Editing -------------------------------------------------------------------------------------------------------------

function edit(context, fact) {
  if (fact.classList.contains("editing")) return;
  if (fact.dataset.field === "tags") return find("input", fact).focus();
  const form = h("form", { class: "editor" }, editor(context, fact), h("p", { class: "said" }, fact.dataset.kind === "long" ? "Ctrl + Enter saves, Esc takes it back." : "Enter saves, Esc takes it back."));
  const value = find(".value", fact);
  const close = () => {
    // Removing a field that has the focus counts as leaving it.
    form.dataset.closed = "true";
    form.remove();
    value.hidden = false;
    fact.classList.remove("editing");
  };
  fact.classList.add("editing");
  value.hidden = true;
  value.after(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    store(context, fact, form, close);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      close();
      value.focus();
    } else if (event.key === "Enter" && (event.target.tagName !== "TEXTAREA" || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("focusout", (event) => {
    // Leaving the field keeps what was typed; a field that did not change simply closes.
    if (form.contains(event.relatedTarget) || form.dataset.closed || form.dataset.saving) return;
    if (same(read(fact, form), raw(fact))) close();
    else store(context, fact, form, close);
  });
  const first = find("input, select, textarea", form);
  first.focus();
  first.select?.();
}

function editor({ choices }, fact) {
  const value = raw(fact);
  const label = fact.dataset.label;
  const text = (attributes) => h("input", { type: "text", name: "value", "aria-label": label, maxlength: "1000", ...attributes });
  switch (fact.dataset.kind) {
    case "long":
      return h("textarea", { name: "value", "aria-label": label, maxlength: "4000", dir: "auto" }, value ?? "");
    case "type":
      return select(label, choices.types, value, "");
    case "language":
      return select(label, value && !choices.languages[value] ? { [value]: value, ...choices.languages } : choices.languages, value, "");
    case "date":
      return text({ type: "date", value: value ?? "" });
    case "money":
      return [
        text({ inputmode: "decimal", value: value?.value ?? "", placeholder: "0.00" }),
        text({ name: "currency", class: "currency", value: value?.currency ?? "", placeholder: "EUR", maxlength: "3", "aria-label": "Currency" }),
      ];
    case "sender":
      return text({ value: value ?? "", list: "known-senders", dir: "auto", autocomplete: "off" });
    default:
      return text({ value: value ?? "", dir: "auto" });
  }
}

function select(label, choices, value, none) {
  const options = Object.entries(choices).map(([key, words]) => h("option", { value: key, selected: key === value }, words));
  return h("select", { name: "value", "aria-label": label }, h("option", { value: "" }, none || "–"), options);
}

function read(fact, form) {
  const given = new FormData(form);
  const text = given.get("value").trim();
  if (fact.dataset.kind !== "money") return text || null;
  return text ? { value: amount(text, raw(fact)?.value), currency: given.get("currency").trim().toUpperCase() || null } : null;
}

/**
 * An amount as people type it, as a decimal number: "1.240,50", "1,240.50", "€ 1 240,5" and "1.240" (three digits after
 * the only sign are thousands). What was there before (`known`) stays as it was.
 */
export function amount(text, known = null) {
  if (text === known) return known;
  const plain = text.replaceAll(/[\s'’€$£¥]/g, "");
  const signs = plain.match(/[.,]/g) ?? [];
  const last = Math.max(plain.lastIndexOf(","), plain.lastIndexOf("."));
  const fraction = plain.slice(last + 1);
  const isDecimal = new Set(signs).size === 2 || (signs.length === 1 && (fraction.length !== 3 || /^-?0?[.,]/.test(plain)));
  if (!isDecimal || !fraction) return plain.replaceAll(/[.,]/g, "");
  return `${plain.slice(0, last).replaceAll(/[.,]/g, "") || "0"}.${fraction}`;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

async function store(context, fact, form, close) {
  form.dataset.saving = "true";
  findAll(".error", form).forEach((each) => each.remove());
  try {
    await save(context, fact, read(fact, form), "Saved", close);
  } catch (error) {
    delete form.dataset.saving;
    form.append(h("p", { class: "error", role: "alert" }, error.message));
    find("input, select, textarea", form)?.focus();
  }
}

/** Set a value; what was there before can be had back with Undo. */
function save(context, fact, value, said, close = () => {}) {
  const before = { value: raw(fact), locked: fact.dataset.locked === "true" };
  return change(context, fact, { metadata: { [fact.dataset.field]: value } }, said, { close, undo: undoing(fact, before) });
}

const undoing = (fact, before) => (before.locked ? { metadata: { [fact.dataset.field]: before.value } } : { unlock: [fact.dataset.field] });

async function change({ root, page, facts }, fact, body, said, { close = () => {}, undo = null } = {}) {
  const { field } = fact.dataset;
  try {
    await api("PATCH", `/api/documents/${root.dataset.id}`, { body, headers: { "If-Match": `"${root.dataset.version}"` } });
  } catch (error) {
    if (error.status === 412) {
      await page.reload();
      error.message = "This was changed elsewhere a moment ago. Look at the new value and save again.";
    }
    if (fact.classList.contains("editing")) throw error;
    return tell(find(`.fact[data-field="${field}"]`, facts), error.message);
  }
  close();
  await page.reload();
  const now = find(`.fact[data-field="${field}"]`, facts);
  find(".value, input", now)?.focus({ preventScroll: true });
  tell(now, said, undo && (() => change({ root, page, facts }, now, undo, "Taken back")));
}

function tell(fact, said, undo = null) {
  findAll(".said", fact).forEach((each) => each.remove());
  const button = undo && h("button", { class: "link-button", type: "button", onclick: () => (note.remove(), undo()) }, "Undo");
  const note = h("span", { class: "said" }, said, button ? " · " : null, button);
  const tools = find("dt .tools", fact);
  if (tools) tools.before(note);
  else find("dt", fact).append(note);
  announce(said);
  setTimeout(() => !note.contains(document.activeElement) && note.remove(), 10000);
}

// Tags ----------------------------------------------------------------------------------------------------------------

const tagsOf = (fact) => findAll("[data-tag]", fact).map((button) => button.dataset.tag);

function tagKey(context, event) {
  const field = event.target;
  if (field.dataset.act !== "tag-add") return;
  if (event.key === "Enter" || event.key === ",") {
    event.preventDefault();
    addTag(context, field);
  } else if (event.key === "Escape") field.value = "";
  else if (event.key === "Backspace" && !field.value) {
    const fact = field.closest(".fact");
    const tags = tagsOf(fact);
    if (tags.length) saveTags(context, fact, tags.slice(0, -1));
  }
}

function addTag(context, field) {
  const tag = field.value.trim();
  const fact = field.closest(".fact");
  field.value = "";
  if (tag && !tagsOf(fact).includes(tag)) saveTags(context, fact, [...tagsOf(fact), tag]);
}

async function saveTags(context, fact, tags) {
  const before = { value: tagsOf(fact), locked: fact.dataset.locked === "true" };
  find("input", fact).blur();
  await change(context, fact, { metadata: { tags } }, "Saved", { undo: undoing(fact, before) });
}
