// The one setting that belongs to the browser: light, dark, or as the system.

import { find, findAll } from "./dom.js";

export function mountSettings(main, signal) {
  const form = find("#theme", main);
  const chosen = document.documentElement.dataset.theme || "auto";
  for (const field of findAll("input", form)) field.checked = field.value === chosen;
  form.addEventListener(
    "change",
    () => {
      const theme = new FormData(form).get("theme");
      document.documentElement.dataset.theme = theme;
      const age = theme === "auto" ? 0 : 31536000;
      document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
    },
    { signal },
  );
}
