/** The button that fills; while something runs, how far it is, and the way to stop it. */

import type { Editor } from "../editor/editor";
import type { Doors } from "./commands";
import { button, h } from "./dom";
import { icon } from "./icons";
import { seconds } from "./words";

/** Before that much is done a guess of the rest is worth nothing. */
const ENOUGH_TO_GUESS = 0.15;

export function fillbar(editor: Editor, doors: Doors): HTMLElement {
  const words = h("span", {});
  const go = button({ class: "primary fill", act: doors.enter }, [
    icon("fill"),
    words,
    h("kbd", {}, ["Enter"]),
  ]);
  go.setAttribute("aria-keyshortcuts", "Enter");
  const doing = h("span", { class: "doing" });
  const time = h("span", { class: "time" });
  const bar = h("progress", { max: 1, "aria-label": "Progress" });
  const stop = button({ class: "quiet stop", act: doors.cancel }, ["Cancel", h("kbd", {}, ["Esc"])]);
  const spoken = h("span", { class: "unseen", role: "status" });
  const busy = h("div", { class: "busy" }, [h("div", { class: "row" }, [doing, time]), bar, stop, spoken]);
  let clock = 0;

  const tick = () => {
    const { work } = editor;
    if (!work) return;
    const passed = (performance.now() - work.since) / 1000;
    const { share } = work;
    const rest =
      share !== undefined && share > ENOUGH_TO_GUESS && passed > 1
        ? (passed * (1 - share)) / share
        : undefined;
    time.textContent =
      rest === undefined ? seconds(passed) : `${seconds(passed)} · about ${seconds(Math.ceil(rest))} left`;
  };
  editor.on("work", () => {
    const { work } = editor;
    go.hidden = work !== undefined;
    busy.hidden = work === undefined;
    if (!work) {
      clearInterval(clock);
      clock = 0;
      return;
    }
    doing.textContent = sentenceCase(work.words);
    // Said once per kind of work, not with every percent.
    if (spoken.textContent !== work.words) spoken.textContent = work.words;
    if (work.share === undefined) bar.removeAttribute("value");
    else bar.value = work.share;
    stop.disabled = !work.cancel;
    tick();
    clock ||= window.setInterval(tick, 100);
  });
  const show = () => {
    const { offer, tool } = editor;
    words.textContent = offer ? "Keep this one" : tool === "frame" ? "Extend" : "Fill";
    go.disabled = !offer && tool !== "frame" && editor.hole.empty;
  };
  editor.on(["mask", "tool", "offer", "project"], show);
  show();
  busy.hidden = true;
  const settings = button({ class: "panel-switch", label: "Settings", key: "P", act: doors.panel }, [
    icon("panel"),
  ]);
  return h("div", { class: "fillbar" }, [settings, go, busy]);
}

function sentenceCase(words: string): string {
  return words ? words[0]!.toUpperCase() + words.slice(1) : words;
}
