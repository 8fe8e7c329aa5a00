// The start of every page: what lives as long as the window (uploads, live stream, keys), and what each page needs.

import { mountDocument } from "./document.js";
import { find } from "./dom.js";
import { startKeys, pageKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startNavigation } from "./navigate.js";
import { choose, startTray } from "./tray.js";
import { mountList, mountOverview } from "./list.js";
import { mountActivity, mountChecks, mountComparison, mountLetter, mountLetters, mountReplay, mountReplays } from "./operations.js";
import { mountSettings } from "./settings.js";

const pages = {
  home: mountOverview,
  activity: mountActivity,
  documents: mountList,
  search: mountList,
  settings: mountSettings,
  document: mountDocument,
  checks: mountChecks,
  comparison: mountComparison,
  letters: mountLetters,
  letter: mountLetter,
  replays: mountReplays,
  replay: mountReplay,
};

document.documentElement.classList.add("scripted");
document.addEventListener("error", (event) => event.target.matches?.(".thumb img, .preview img") && event.target.remove(), true);
startKeys({ upload: () => choose() });
startTray();
startNavigation((main, signal) => {
  pageKeys.clear();
  pages[main.dataset.page]?.(main, signal);
  find(".places [aria-current]", main)?.scrollIntoView({ block: "nearest", inline: "center" });
});
startLive();
