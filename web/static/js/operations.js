// What an operator does: send undelivered events again or discard them, start, follow and stop replays, rebuild, check.

import { announce, calmly, find, findAll, h, icon, note } from "./dom.js";
import { api } from "./api.js";
import { pageKeys } from "./keys.js";
import { mountOverview } from "./list.js";
import { onChange } from "./live.js";
import { go, refresh } from "./navigate.js";

const POLL_MILLISECONDS = 1500;
const IDLE_MILLISECONDS = 10000;
const LETTERS = "/api/dead-letters";

/** Do the work of a button once at a time; say what went wrong. */
async function busy(button, work) {
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    note(error.message, { seconds: 12 });
    return null;
  } finally {
    if (button) button.disabled = false;
  }
}

/** Read the page again now and then: often while something runs. */
export function keepFresh(main, signal, { unless = () => false } = {}) {
  let timer = null;
  const next = () => {
    const pause = find("[data-running]", main) ? POLL_MILLISECONDS : IDLE_MILLISECONDS;
    timer = setTimeout(look, pause);
  };
  const look = async () => {
    if (!document.hidden && !unless()) await refresh();
    if (!signal.aborted) next();
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  next();
}

function onAct(main, acts, signal) {
  main.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    const work = button && acts[button.dataset.act];
    if (work) work(button);
  }, { signal });
}

/** Ask before something happens; `fields` are put between words and buttons. Gives the form's data, or null. */
export function ask(title, words, { fields = [], yes, no = "Cancel", danger = false } = {}) {
  return new Promise((answer) => {
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "ask-title" }, title),
      h("p", {}, words),
      fields,
      h(
        "div",
        { class: "dialog-end" },
        h("button", { class: "button", value: "no", formnovalidate: true, autofocus: !fields.length }, no),
        h("button", { class: danger ? "button danger" : "button primary", value: "yes" }, yes),
      ),
    );
    const dialog = h("dialog", { "aria-labelledby": "ask-title" }, form);
    dialog.addEventListener("close", () => {
      answer(dialog.returnValue === "yes" ? new FormData(form) : null);
      dialog.remove();
    });
    // Enter in a field presses the first button, which is the one that changes nothing.
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input")) return;
      event.preventDefault();
      form.requestSubmit(find('[value="yes"]', form));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const count = (number, one, many = `${one}s`) => `${number.toLocaleString()} ${number === 1 ? one : many}`;

const LEFT_ALONE = {
  not_found: "not there any more",
  purged: "of documents that were removed for good",
  trashed: "of documents in the trash",
  not_current: "of earlier runs",
  closed: "that have passed since",
  unreadable: "that cannot be read",
};

function dealt(answer, what) {
  const left = Object.entries(answer.skipped ?? {}).map(([code, number]) => `${number.toLocaleString()} ${LEFT_ALONE[code] ?? code}`);
  return `${count(answer.count, "event")} ${what}.${left.length ? ` Left alone: ${left.join(", ")}.` : ""}`;
}

// Undelivered events --------------------------------------------------------------------------------------------------

const REASONS = ["Not needed any more", "The document was uploaded again", "A test"];

async function askReason(number) {
  const reason = h("input", { type: "text", name: "reason", required: true, maxlength: 500, list: "reasons", autofocus: true, autocomplete: "off" });
  const given = await ask(
    number === 1 ? "Discard this event?" : `Discard ${count(number, "event")}?`,
    "It is not sent again by itself and leaves this list; it stays in the archive with your reason.",
    {
      fields: [
        h("label", { class: "field dialog-field" }, h("span", {}, "Why"), reason),
        h("datalist", { id: "reasons" }, REASONS.map((each) => h("option", { value: each }))),
      ],
      yes: "Discard",
      danger: true,
    },
  );
  return given?.get("reason").trim() || null;
}

/** What a filter chooses is dealt with in parts, up to the number that was shown; more may arrive meanwhile. */
async function inParts(path, body, most) {
  const whole = { count: 0, skipped: {} };
  let seen = 0;
  let cursor = null;
  do {
    const answer = await api("POST", path, { body: cursor ? { ...body, cursor } : body });
    whole.count += answer.count;
    seen += answer.count;
    for (const [why, number] of Object.entries(answer.skipped)) {
      whole.skipped[why] = (whole.skipped[why] ?? 0) + number;
      seen += number;
    }
    cursor = answer.next;
  } while (cursor && seen < most);
  return whole;
}

/** The list: choose some, all shown, or all that the filters let through. */
export function mountLetters(main, signal) {
  let everything = false;
  const place = () => find('[data-region="letters"]', main);
  const boxes = () => findAll(".letter input:not(:disabled)", main);
  const chosen = () => boxes().filter((box) => box.checked).map((box) => box.value);
  const number = () => (everything ? Number(place().dataset.count) : chosen().length);
  const wanted = () => (everything ? { filter: JSON.parse(place().dataset.filter) } : { ids: chosen() });

  function show() {
    const [all, picked] = [boxes(), chosen()];
    const head = find('[data-act="pick-all"]', main);
    if (!head) return;
    if (picked.length < all.length) everything = false;
    head.checked = all.length > 0 && picked.length === all.length;
    head.indeterminate = picked.length > 0 && picked.length < all.length;
    head.disabled = !all.length;
    find("[data-picked]", main).textContent = picked.length ? `${number().toLocaleString()} chosen` : "Choose all shown";
    for (const button of findAll('[data-act^="letters-"]', main)) button.disabled = !picked.length;
    const more = find('[data-act="pick-filter"]', main);
    if (more) more.hidden = everything || !head.checked;
  }

  async function done(words) {
    everything = false;
    for (const box of boxes()) box.checked = false;
    document.activeElement?.blur();
    await refresh();
    show();
    find("main").focus({ preventScroll: true });
    note(words);
  }

  main.addEventListener("change", (event) => {
    if (event.target.dataset.act === "pick-all") for (const box of boxes()) box.checked = event.target.checked;
    show();
  }, { signal });
  onAct(main, {
    "pick-filter": () => {
      everything = true;
      show();
    },
    "letters-replay": (button) =>
      busy(button, async () => {
        const answer = await inParts(`${LETTERS}/replay`, wanted(), number());
        await done(dealt(answer, "sent again"));
      }),
    "letters-discard": (button) =>
      busy(button, async () => {
        const reason = await askReason(number());
        if (!reason) return;
        const answer = await inParts(`${LETTERS}/discard`, { ...wanted(), reason }, number());
        await done(dealt(answer, "discarded"));
      }),
  }, signal);
  pageKeys.set("x", () => {
    const box = document.activeElement?.closest(".letter")?.querySelector("input:not(:disabled)");
    if (box) box.click();
    return Boolean(box);
  });
  keepFresh(main, signal, { unless: () => chosen().length > 0 });
  onChange(calmly(1000, () => chosen().length || refresh().then(show)), signal);
  show();
}

/** One of them. */
export function mountLetter(main, signal) {
  const here = `${LETTERS}/${find("[data-letter]", main).dataset.letter}`;
  onAct(main, {
    "letter-replay": (button) =>
      busy(button, async () => {
        await api("POST", `${here}/replay`);
        await refresh();
        note("Sent again.");
      }),
    "letter-discard": (button) =>
      busy(button, async () => {
        const reason = await askReason(1);
        if (!reason) return;
        await api("POST", `${here}/discard`, { body: { reason } });
        await refresh();
        note("Discarded.");
      }),
  }, signal);
  keepFresh(main, signal);
  onChange(calmly(1000, refresh), signal);
}

// Replays and rebuilds ------------------------------------------------------------------------------------------------

const SKIPPED = {
  trashed: "in the trash",
  purged: "removed for good",
  not_current: "of earlier runs",
  unchanged: "unchanged",
  unreadable: "not readable",
};

async function stop(button) {
  const sure = await ask("Stop this?", "What is done so far stays. It cannot be taken up again; start it anew instead, and only what is left is done.", { yes: "Stop", no: "Let it go on", danger: true });
  if (!sure) return;
  await busy(button, async () => {
    await api("POST", `/api/replays/${button.dataset.id}/cancel`);
    await refresh();
    announce("Stopped");
  });
}

function mountStops(main, signal) {
  onAct(main, { "cancel-replay": stop }, signal);
}

/** What is going on: documents, and the replays that are at work. */
export function mountActivity(main, signal) {
  mountOverview(main, signal);
  mountStops(main, signal);
  keepFresh(main, signal);
}

/** One replay or rebuild. */
export function mountReplay(main, signal) {
  mountStops(main, signal);
  keepFresh(main, signal);
}

/** All of them, and the dialog for a new one. */
export function mountReplays(main, signal) {
  const dialog = find("#new-replay", main);
  const form = find("#replay-form", main);
  const count = mountForecast(form, signal);
  const open = () => {
    dialog.showModal();
    count();
  };
  mountStops(main, signal);
  onAct(main, {
    "new-replay": () => (find('[name="mode"]', form).value === "redeliver" ? go("/activity/replays?new=reprocess") : open()),
    "close-dialog": () => dialog.close(),
    rebuild: (button) => rebuild(button),
  }, signal);
  dialog.addEventListener("close", () => location.search && history.replaceState(null, "", location.pathname), { signal });
  if (dialog.dataset.open) open();
  keepFresh(main, signal, { unless: () => dialog.open });
}

async function rebuild(button) {
  const words = {
    index: ["Rebuild the search?", "The entry of every document is written anew. Documents stay findable meanwhile."],
    projections: ["Rebuild the documents' states?", "The state of every document is derived anew from its events. What people have set stays."],
  }[button.dataset.what];
  if (!(await ask(...words, { yes: "Rebuild" }))) return;
  await busy(button, async () => {
    const replay = await api("POST", "/api/rebuild", { body: { what: button.dataset.what } });
    go(`/activity/replays/${replay.id}`);
  });
}

function replayOf(form) {
  const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  const names = ["type", "subject", "source", "runid", "status", "code", "document_type", "tag", "since", "until"];
  const filter = Object.fromEntries(names.filter((name) => given[name]).map((name) => [name, given[name]]));
  const wanted = { mode: given.mode, filter, rate: Number(given.rate) || 10 };
  if (given.mode === "redeliver") return wanted;
  return { ...wanted, from: given.from, force: given.force === "on", options: given.language ? { language: given.language } : {} };
}

function forecastWords(answer, one) {
  const left = Object.entries(answer.skipped ?? {}).filter(([, number]) => number);
  const total = left.reduce((sum, [, number]) => sum + number, 0);
  const why = left.map(([name, number]) => `${number.toLocaleString()} ${SKIPPED[name] ?? name.replaceAll("_", " ")}`).join(", ");
  return [
    h("p", {}, h("strong", {}, count(answer.count, one)), answer.count ? (one === "event" ? " will be sent again." : " will be processed again.") : ". Nothing to do."),
    total ? h("p", { class: "quiet" }, `${total.toLocaleString()} left out: ${why}.`) : null,
  ].filter(Boolean);
}

/** Say beforehand what a replay would do, each time something is chosen otherwise; gives back the function that counts. */
function mountForecast(form, signal) {
  const place = find("#forecast", form);
  const start = find('[type="submit"]', form);
  let asked = 0;
  let timer = null;
  const look = async () => {
    const mine = ++asked;
    try {
      const wanted = replayOf(form);
      const answer = await api("POST", "/api/events/replay", { body: { ...wanted, dry_run: true }, signal });
      if (mine !== asked) return;
      place.className = "forecast";
      place.replaceChildren(...forecastWords(answer, wanted.mode === "redeliver" ? "event" : "document"));
      start.disabled = !answer.count || !form.checkValidity();
    } catch (error) {
      if (error.name === "AbortError" || mine !== asked) return;
      place.className = "forecast wrong";
      place.textContent = error.message;
    }
  };
  const again = () => {
    asked += 1;
    start.disabled = true;
    place.classList.add("busy");
    clearTimeout(timer);
    timer = setTimeout(look, 300);
  };
  form.addEventListener("input", again, { signal });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(start, async () => {
      const replay = await api("POST", "/api/events/replay", { body: replayOf(form) });
      go(`/activity/replays/${replay.id}`);
    });
  }, { signal });
  return look;
}

// Checks --------------------------------------------------------------------------------------------------------------

const DEEDS = {
  resent: ["document sent on", "documents sent on"],
  given_up: ["document given up", "documents given up"],
  woken: ["search entry renewed", "search entries renewed"],
  relayed: ["waiting event sent", "waiting events sent"],
  announced: ["dropped file announced", "dropped files announced"],
  rejected: ["dropped file refused", "dropped files refused"],
  imported: ["undelivered event listed", "undelivered events listed"],
  replayed: ["undelivered event sent again", "undelivered events sent again"],
  closed: ["undelivered event closed", "undelivered events closed"],
  adopted: ["original without a document taken in", "originals without a document taken in"],
  repaired: ["lost part made again", "lost parts made again"],
  marked: ["document marked", "documents marked"],
  purged: ["purge finished", "purges finished"],
  removed: ["leftover removed", "leftovers removed"],
  expired: ["old event let go", "old events let go"],
};

function sweptWords(answer) {
  const counts = answer.did;
  const done = Object.entries(DEEDS).filter(([deed]) => counts[deed]).map(([deed, [one, many]]) => count(counts[deed], one, many));
  const failed = Object.entries(answer.failures ?? {});
  return [
    h("p", {}, answer.report ? "Looked, and changed nothing. " : "Looked and repaired. ", done.length ? (answer.report ? "A repair would do this:" : "This was done:") : answer.report ? "There is nothing to repair." : "There was nothing to repair."),
    done.length ? h("ul", { class: "bullets" }, done.map((words) => h("li", {}, words))) : null,
    answer.complete ? null : h("p", { class: "quiet" }, "The time was too short to look at everything; the next look goes on."),
    failed.length ? h("p", { class: "quiet" }, `Not everything could be looked at: ${failed.map(([part, why]) => `${part} (${why})`).join(", ")}`) : null,
  ].filter(Boolean);
}

/** What sweep finds; looking again, with or without repairing. */
export function mountChecks(main, signal) {
  const place = find("#swept", main);
  onAct(main, {
    sweep: (button) =>
      busy(button, async () => {
        place.hidden = false;
        place.className = "notice calm";
        place.replaceChildren(icon("clock"), h("p", {}, "Looking at everything. This may take a while; it goes on if you leave."));
        try {
          const answer = await api("POST", "/api/sweep", { body: { report: button.dataset.report === "true" } });
          place.replaceChildren(icon("done"), h("div", {}, sweptWords(answer)));
        } catch (error) {
          place.hidden = true;
          throw error;
        }
        await refresh();
      }),
  }, signal);
  keepFresh(main, signal);
}

// Comparison ----------------------------------------------------------------------------------------------------------

/** What a new run made of a document that a person had edited: take it, or keep what stands. */
export function mountComparison(main, signal) {
  const { document: id, run } = find("[data-document]", main).dataset;
  const decide = (what, words) => (button) =>
    busy(button, async () => {
      await api("POST", `/api/documents/${id}/comparison/${what}?runid=${encodeURIComponent(run)}`);
      go(`/documents/${id}`);
      note(words);
    });
  onAct(main, {
    "review-accept": decide("accept", "The new values are taken."),
    "review-reject": decide("reject", "What stood is kept."),
  }, signal);
}
