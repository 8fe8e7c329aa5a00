// Building and finding elements. Text only ever becomes text nodes; nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`on…` listeners, `dataset`, booleans) and children; null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A picture of the icon set; with a label it speaks, without it is decoration. */
export function icon(name, label = "") {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

export const find = (selector, within = document) => within.querySelector(selector);
export const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];

/** Say something to screen readers. */
export function announce(text) {
  const place = find("#announcer");
  if (place && place.textContent !== text) place.textContent = text;
}

let toast = null;

/** A short note at the bottom, with at most one thing to do. Errors stay until they are read. */
export function note(text, { action = null, act = null, seconds = 6 } = {}) {
  toast?.remove();
  const own = h(
    "div",
    { class: "toast", role: "status" },
    h("span", {}, text),
    action && h("button", { class: "link-button", type: "button", onclick: () => (own.remove(), act()) }, action),
  );
  toast = own;
  document.body.append(own);
  setTimeout(() => own.remove(), seconds * 1000);
}

/** Calls at most once in so many milliseconds, the last time included. */
export function calmly(milliseconds, work) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      work();
    }, milliseconds);
  };
}
