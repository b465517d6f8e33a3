/** Dialogs of the browser's own: they keep the focus inside and close with Escape. */

import { button, type Child, h } from "./dom";
import { icon } from "./icons";

export function dialog(
  title: string,
  content: readonly Child[],
  options: { class?: string; fixed?: boolean } = {},
): HTMLDialogElement {
  const element = h("dialog", { class: options.class, "aria-label": title }, [
    h("div", { class: "dialog-head" }, [
      h("h2", {}, [title]),
      options.fixed
        ? ""
        : button({ class: "plain", label: "Close", key: "Esc", act: () => element.close() }, [icon("close")]),
    ]),
    h("div", { class: "dialog-body" }, content),
  ]);
  // A click beside the dialog, on its backdrop, closes it, as everywhere.
  element.addEventListener("click", (event) => {
    if (event.target === element && !options.fixed) element.close();
  });
  if (options.fixed) element.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(element);
  return element;
}
