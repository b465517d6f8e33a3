/** The mask as a whole: how much is marked, what can be found, grow and shrink, files. */

import type { Actions } from "../editor/actions";
import type { Editor } from "../editor/editor";
import type { DetectorSpec } from "../net/types";
import { growBy, maskCommands } from "./commands";
import { button, field, h, pickFiles, replace, saveLink } from "./dom";
import { counted, percent } from "./words";

export function maskPanel(editor: Editor, actions: Actions): HTMLElement {
  const act = maskCommands(editor);
  const amount = h("p", { class: "amount" });
  const layers = layerSwitch(editor);
  const pixels = h("input", {
    type: "number",
    min: 1,
    max: 200,
    value: growBy.pixels,
    "aria-label": "Pixels to grow or shrink by",
  });
  pixels.addEventListener("change", () => {
    growBy.pixels = pixels.valueAsNumber;
    pixels.value = String(growBy.pixels);
  });
  const shape = h("div", { class: "row" }, [
    button({ class: "quiet", key: "G", act: act.grow }, ["Grow"]),
    button({ class: "quiet", key: "⇧G", act: act.shrink }, ["Shrink"]),
    h("span", { class: "unit" }, [pixels, "px"]),
  ]);
  const hide = button({ class: "quiet", key: "Q", act: act.tint }, []);
  const whole = h("div", { class: "row" }, [
    button({ class: "quiet", key: "I", act: act.invert }, ["Invert"]),
    button({ class: "quiet", key: "Delete", act: act.clear }, ["Clear"]),
    hide,
    button({ class: "quiet", key: "K", act: () => void actions.finding.checkMask() }, ["Check"]),
  ]);
  const files = h("div", { class: "files" }, [
    button({ class: "link", label: "Import a mask from a file", act: () => void importFile(actions) }, [
      "Import",
    ]),
    button(
      { class: "link", label: "Export the mask as a file", act: () => void exportFile(editor, actions) },
      ["Export"],
    ),
  ]);
  editor.on(["mask", "project"], () => {
    const { missing } = editor.mask;
    const share = missing / (editor.picture.width * editor.picture.height);
    amount.textContent = missing ? `${counted(missing, "pixel")} · ${percent(share)}` : "nothing yet";
    hide.textContent = editor.tintShown ? "Hide" : "Show";
  });
  return h("section", { class: "panel-part" }, [
    h("div", { class: "heading" }, [h("h2", {}, ["Mask"]), amount]),
    layers,
    shape,
    whole,
    h("div", { class: "find" }, [detectorsPart(editor, actions), files]),
  ]);
}

function layerSwitch(editor: Editor): HTMLElement {
  const hole = button({ class: "segment", act: () => editor.setLayer("hole") }, [
    h("span", { class: "dot hole" }),
    "Fill this",
  ]);
  const sources = button({ class: "segment", key: "S", act: () => editor.setLayer("sources") }, [
    h("span", { class: "dot sources" }),
    "Copy only from",
  ]);
  const help = h("p", { class: "help" });
  editor.on(["tool", "settings", "mask"], () => {
    const painting = editor.layer === "sources";
    hole.setAttribute("aria-pressed", String(!painting));
    sources.setAttribute("aria-pressed", String(painting));
    const refuses = editor.method?.takes_sources === false;
    help.textContent = !painting
      ? ""
      : refuses
        ? `${editor.settings.method} does not copy: what you paint here is for other methods.`
        : "Paint where the fill may copy from. Nothing painted means anywhere.";
    help.hidden = !painting;
  });
  return h("div", { class: "stack" }, [
    h("div", { class: "segments", role: "group", "aria-label": "What tools paint" }, [hole, sources]),
    help,
  ]);
}

function detectorsPart(editor: Editor, actions: Actions): HTMLElement {
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Find" });
  const slider = h("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.5 });
  const chip = ({ name, label, help }: DetectorSpec) => {
    const element = button(
      { class: "chip", act: () => void actions.finding.detect(name, label, slider.valueAsNumber) },
      [label],
    );
    element.title = help;
    return element;
  };
  editor.on("settings", () => replace(chips, editor.detectors.map(chip)));
  return h("details", { class: "detectors" }, [
    h("summary", { title: "Find in the picture (D)" }, ["Find in the picture"]),
    h("div", { class: "stack" }, [
      chips,
      field("Sensitivity", slider, "Left: only what is certain. They are guesses; look before you fill."),
    ]),
  ]);
}

async function importFile(actions: Actions): Promise<void> {
  const [file] = await pickFiles("image/*");
  if (file) await actions.finding.importMask(file);
}

async function exportFile(editor: Editor, actions: Actions): Promise<void> {
  const blob = await actions.finding.exportMask();
  if (!blob || !editor.project) return;
  const url = URL.createObjectURL(blob);
  const suffix = editor.layer === "hole" ? "mask" : "sources";
  saveLink(url, `${editor.project.name.replace(/\.[^.]*$/, "")}.${suffix}.png`);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
