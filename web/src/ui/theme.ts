/** Light or dark: what the system says, until somebody chooses. */

import { recall, remember } from "../editor/storage";

const system = matchMedia("(prefers-color-scheme: dark)");

function show(): void {
  const chosen = recall("theme", "");
  document.documentElement.dataset.theme = chosen || (system.matches ? "dark" : "light");
}

export function followTheme(): void {
  system.addEventListener("change", show);
  show();
}

export function toggleTheme(): void {
  remember("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  show();
}
