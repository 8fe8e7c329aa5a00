// One stream of changes for the whole page. Where it cannot be had (a proxy that buffers, say), the page asks now and then.

const POLL_MILLISECONDS = 5000;
const PATIENCE_MILLISECONDS = 12000;
const SILENCE_MILLISECONDS = 30000;

const listeners = new Set();
let source = null;
let heard = 0;

/** `listener(summary)` for each document that changed; null means: something changed, look again. */
export function onChange(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
}

function tell(summary) {
  for (const listener of [...listeners]) listener(summary);
}

export function startLive() {
  open();
  document.addEventListener("visibilitychange", () => {
    // A hidden page gives its connection back: browsers allow six for one server.
    if (document.hidden) close();
    else if (!source) {
      open();
      tell(null);
    }
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => {
    if (event.persisted && !source) open();
  });
  setInterval(() => !document.hidden && isDeaf() && tell(null), POLL_MILLISECONDS);
}

// Not connected; or connected, but silent while something is being worked on: then a proxy may be holding the words back.
function isDeaf() {
  const silent = Date.now() - heard;
  if (source?.readyState !== EventSource.OPEN) return silent > PATIENCE_MILLISECONDS;
  if (silent < SILENCE_MILLISECONDS || !document.querySelector(".pill.processing")) return false;
  heard = Date.now();
  return true;
}

function close() {
  source?.close();
  source = null;
}

function open() {
  heard = Date.now();
  source = new EventSource("/api/stream");
  let lost = false;
  source.onopen = () => {
    heard = Date.now();
    if (lost) tell(null);
    lost = false;
  };
  source.onerror = () => {
    lost = true;
    if (source?.readyState === EventSource.CLOSED) {
      close();
      setTimeout(() => !document.hidden && !source && open(), POLL_MILLISECONDS);
    }
  };
  for (const name of ["document", "message"]) {
    source.addEventListener(name, (event) => {
      heard = Date.now();
      tell(JSON.parse(event.data));
    });
  }
  for (const name of ["removed", "reset", "resync"]) source.addEventListener(name, () => tell(null));
}
