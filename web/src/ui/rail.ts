/** The tools, one button each. */

import type { Editor } from "../editor/editor";
import { TOOLS } from "./commands";
import { button, h } from "./dom";
import { icon } from "./icons";

export function rail(editor: Editor): HTMLElement {
  const buttons = TOOLS.map(({ id, key, label }) => {
    const element = button({ class: "tool", label, key, act: () => editor.setTool(id) }, [icon(id)]);
    return { id, element };
  });
  const show = () => {
    for (const { id, element } of buttons) element.setAttribute("aria-pressed", String(id === editor.tool));
  };
  editor.on("tool", show);
  show();
  return h(
    "div",
    { class: "rail", role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" },
    buttons.map(({ element }) => element),
  );
}
