// Dates as the reader's locale writes them. The server's own wording stands where scripts do not run.

const locale = navigator.languages?.length ? [...navigator.languages] : undefined;
const date = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function ago(value) {
  const seconds = (value - Date.now()) / 1000;
  if (seconds > -60) return "just now";
  if (seconds > -3600) return relative.format(Math.ceil(seconds / 60), "minute");
  if (value.toDateString() === new Date().toDateString()) return clock.format(value);
  return day.format(value);
}

const shown = { date: (value) => date.format(value), moment: (value) => moment.format(value), time: (value) => clock.format(value), ago };

/** A date without a time of day, as 2026-01-31. */
export const dateWords = (text) => date.format(new Date(`${text}T00:00:00Z`));

/** A time, as the answers of the API give it. */
export const momentWords = (text) => moment.format(new Date(text));

/** A size in bytes. */
export function sizeWords(bytes) {
  const unit = bytes >= 1e9 ? [1e9, "gigabyte"] : bytes >= 1e6 ? [1e6, "megabyte"] : [1e3, "kilobyte"];
  return new Intl.NumberFormat(locale, { style: "unit", unit: unit[1], maximumFractionDigits: 1 }).format(bytes / unit[0]);
}

/** Rewrite all dates and amounts of a part of the page. */
export function localise(root) {
  for (const element of root.querySelectorAll("time[data-show]")) {
    const day = element.dataset.show === "date";
    const value = new Date(day ? `${element.dateTime}T00:00:00Z` : element.dateTime);
    if (Number.isNaN(value.getTime())) continue;
    element.textContent = shown[element.dataset.show](value);
    if (!day) element.title = full.format(value);
  }
  for (const element of root.querySelectorAll("data[data-currency]")) {
    const currency = element.dataset.currency;
    const style = currency ? { style: "currency", currency } : { minimumFractionDigits: 2 };
    try {
      element.textContent = new Intl.NumberFormat(locale, style).format(element.value);
    } catch {
      // A currency that this browser does not know stays as the server wrote it.
    }
  }
}
