/** Variants side by side: look at each on the picture, keep one. */

import { pan } from "../core/view";
import type { Actions } from "../editor/actions";
import type { Editor } from "../editor/editor";
import { cropUrl } from "../net/api";
import type { WireBox } from "../net/types";
import { button, h, replace } from "./dom";
import { around } from "./steps";

const SIZE = 320;
/** Between the hole and the variants below it, in CSS pixels. */
const GAP = 40;

export function offers(editor: Editor, actions: Actions): HTMLElement {
  const cards = h("div", { class: "cards", role: "radiogroup", "aria-label": "Variants to choose from" });
  const part = h("aside", { class: "offers" }, [
    cards,
    h("div", { class: "row" }, [
      h("p", { class: "help" }, ["Look at each on the picture; C shows it before."]),
      button({ class: "quiet", key: "Esc", act: () => void actions.fills.dropVariants() }, ["None of them"]),
    ]),
  ]);
  part.hidden = true;
  let built = "";
  editor.on("offer", () => {
    const { offer, project } = editor;
    part.hidden = !offer;
    if (!offer || !project) {
      built = "";
      return;
    }
    const first = built !== offer.job;
    if (first) {
      built = offer.job;
      // Every variant differs from the picture in the same place.
      const box = project.versions[offer.variants[0]!.version]?.box ?? undefined;
      const area = box && around(box, editor.picture.width, editor.picture.height);
      replace(
        cards,
        offer.variants.map((variant, index) => {
          const card = button(
            { class: "card", act: () => editor.setOffer({ ...editor.offer!, shown: index }) },
            [
              h("img", {
                src: cropUrl(project.id, variant.version, SIZE, area),
                alt: "",
                width: 160,
                height: 160,
              }),
              h("span", {}, [`${index + 1}`, h("small", {}, [` seed ${variant.seed}`])]),
            ],
          );
          card.setAttribute("role", "radio");
          card.setAttribute("aria-label", `Variant ${index + 1}, seed ${variant.seed}`);
          card.setAttribute("aria-keyshortcuts", String(index + 1));
          return card;
        }),
      );
    }
    if (first) showPlace(editor, editor.version?.box ?? null, part.offsetHeight);
    [...cards.children].forEach((card, index) => {
      card.setAttribute("aria-checked", String(index === offer.shown));
    });
  });
  addEventListener("keydown", (event) => {
    const { offer } = editor;
    if (!offer || event.ctrlKey || event.metaKey || event.altKey) return;
    // A field that one types in keeps its digits.
    if ((event.target as Element).closest("input, select, textarea, dialog")) return;
    const arrow = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const digit = /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : undefined;
    const shown =
      digit ?? (arrow ? (offer.shown + arrow + offer.variants.length) % offer.variants.length : undefined);
    if (shown === undefined || shown >= offer.variants.length) return;
    event.preventDefault();
    editor.setOffer({ ...offer, shown });
  });
  return part;
}

/** Move the picture up if the variants would hide what they are about. */
function showPlace(editor: Editor, box: WireBox | null, taken: number): void {
  if (!box) return;
  const { view, screen } = editor;
  const [, top, , height] = box;
  const free = screen.height - taken - GAP;
  if ((top + height) * view.scale + view.y <= free) return;
  const middle = (top + height / 2) * view.scale + view.y;
  editor.setView(pan(view, 0, free / 2 - middle));
}
