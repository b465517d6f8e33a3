/** Every command once: what it does, its key, and its line in the list of keys. */

import { clear, grow, invert, shrink } from "../core/morph";
import type { Actions } from "../editor/actions";
import type { Editor, ToolId } from "../editor/editor";
import { recall, remember } from "../editor/storage";

export interface Command {
  /** As `keyOf` writes it. */
  readonly keys: readonly string[];
  readonly words: string;
  readonly group: "Tools" | "Mask" | "Fill" | "Look" | "Page";
  readonly act: () => void;
  /** For keys that are held. */
  readonly release?: () => void;
  /** Works without a picture, too. */
  readonly always?: boolean;
}

/** Opened by commands, made elsewhere. */
export interface Doors {
  readonly open: () => void;
  readonly save: () => void;
  readonly saveAs: () => void;
  readonly batch: () => void;
  readonly help: () => void;
  readonly theme: () => void;
  readonly panel: () => void;
  readonly focusMethods: () => void;
  readonly focusDetectors: () => void;
  readonly cancel: () => void;
  readonly enter: () => void;
}

/** By how many pixels a key grows or shrinks the mask. */
export const growBy = {
  get pixels(): number {
    return recall("grow", 3);
  },
  set pixels(value: number) {
    remember("grow", Math.max(1, Math.min(200, Math.round(value) || 1)));
  },
};

export const TOOLS: readonly { id: ToolId; key: string; label: string; help: string }[] = [
  {
    id: "brush",
    key: "B",
    label: "Brush",
    help: "Paint over what should go. Alt erases; Shift draws a straight line from the last stroke.",
  },
  { id: "eraser", key: "E", label: "Eraser", help: "Take parts off the mask again." },
  { id: "lasso", key: "L", label: "Lasso", help: "Draw around what should go. Alt takes it off the mask." },
  { id: "rectangle", key: "R", label: "Rectangle", help: "Drag a box. Alt takes it off the mask." },
  {
    id: "click",
    key: "W",
    label: "Click to select",
    help: "Click a thing on a plain background, or drag a box around it. Alt takes it off.",
  },
  {
    id: "hand",
    key: "H",
    label: "Move the picture",
    help: "Drag to move, wheel or two fingers to zoom. Holding Space does the same with any tool.",
  },
  {
    id: "frame",
    key: "O",
    label: "Extend the picture",
    help: "Drag an edge or a corner outwards, then press Enter.",
  },
];

export function maskCommands(editor: Editor) {
  const name = () => (editor.layer === "hole" ? "mask" : "source area");
  return {
    grow: () => editor.edit(`grow ${name()}`, (mask) => grow(mask, growBy.pixels)),
    shrink: () => editor.edit(`shrink ${name()}`, (mask) => shrink(mask, growBy.pixels)),
    invert: () => editor.edit(`invert ${name()}`, invert),
    clear: () => editor.edit(`clear ${name()}`, clear),
    layer: () => editor.setLayer(editor.layer === "hole" ? "sources" : "hole"),
    tint: () => {
      editor.tintShown = !editor.tintShown;
      editor.emit("mask");
    },
  };
}

export function commands(editor: Editor, actions: Actions, doors: Doors): readonly Command[] {
  const mask = maskCommands(editor);
  const size = (factor: number) => () =>
    editor.setRadius(Math.max(editor.radius * factor, editor.radius + Math.sign(factor - 1) * 0.5));
  return [
    ...TOOLS.map(
      ({ id, key, label }): Command => ({
        keys: [key.toLowerCase()],
        words: label,
        group: "Tools",
        act: () => editor.setTool(id),
      }),
    ),
    { keys: ["["], words: "Smaller brush", group: "Tools", act: size(1 / 1.2) },
    { keys: ["]"], words: "Larger brush", group: "Tools", act: size(1.2) },
    { keys: ["g"], words: "Grow the mask", group: "Mask", act: mask.grow },
    { keys: ["⇧g"], words: "Shrink the mask", group: "Mask", act: mask.shrink },
    { keys: ["i"], words: "Invert the mask", group: "Mask", act: mask.invert },
    { keys: ["Delete", "Backspace"], words: "Clear the mask", group: "Mask", act: mask.clear },
    {
      keys: ["s"],
      words: "Paint the source area instead of the mask, and back",
      group: "Mask",
      act: mask.layer,
    },
    { keys: ["q"], words: "Hide or show the mask", group: "Mask", act: mask.tint },
    {
      keys: ["d"],
      words: "Go to what can be found in the picture",
      group: "Mask",
      act: doors.focusDetectors,
    },
    { keys: ["k"], words: "Check the mask", group: "Mask", act: () => void actions.finding.checkMask() },
    { keys: ["Enter"], words: "Fill; extend; keep the variant shown", group: "Fill", act: doors.enter },
    { keys: ["Escape"], words: "Cancel", group: "Fill", act: doors.cancel, always: true },
    { keys: ["m"], words: "Go to the methods", group: "Fill", act: doors.focusMethods },
    { keys: ["Ctrl+z"], words: "Undo", group: "Fill", act: () => void actions.steps.undo() },
    { keys: ["Ctrl+⇧z", "Ctrl+y"], words: "Redo", group: "Fill", act: () => void actions.steps.redo() },
    {
      keys: ["c"],
      words: "Hold to see the picture before",
      group: "Look",
      act: () => editor.setCompare("hold"),
      release: () => editor.setCompare("off"),
    },
    {
      keys: ["v"],
      words: "Slider between before and after",
      group: "Look",
      act: () => editor.setCompare(editor.compare === "slider" ? "off" : "slider"),
    },
    { keys: ["+", "="], words: "Zoom in", group: "Look", act: () => editor.zoomBy(1.25) },
    { keys: ["-"], words: "Zoom out", group: "Look", act: () => editor.zoomBy(0.8) },
    { keys: ["0"], words: "The whole picture", group: "Look", act: () => editor.fitView() },
    {
      keys: ["1"],
      words: "One pixel as one pixel",
      group: "Look",
      act: () => editor.zoomTo(1 / devicePixelRatio),
    },
    { keys: ["Ctrl+o"], words: "Open a photo or a project", group: "Page", act: doors.open, always: true },
    { keys: ["Ctrl+s"], words: "Save in the photo's own format", group: "Page", act: doors.save },
    { keys: ["Ctrl+⇧s"], words: "Save as …", group: "Page", act: doors.saveAs },
    { keys: ["p"], words: "Show or hide the panel", group: "Page", act: doors.panel },
    { keys: ["t"], words: "Light or dark", group: "Page", act: doors.theme, always: true },
    { keys: ["?"], words: "These keys", group: "Page", act: doors.help, always: true },
  ];
}

/** What was pressed, in the words of the table. Letters are told apart by Shift, signs by themselves. */
export function keyOf(event: KeyboardEvent): string {
  const letter = /^\p{L}$/u.test(event.key);
  const key = letter ? event.key.toLowerCase() : event.key;
  const ctrl = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  return `${ctrl}${letter && event.shiftKey ? "⇧" : ""}${key}`;
}

/** A key as it is printed on a keyboard. */
export function printed(key: string): string {
  const names: Readonly<Record<string, string>> = { Escape: "Esc", Enter: "Enter", Backspace: "Backspace" };
  return (
    names[key] ??
    key
      .replace("⇧", "Shift+")
      .replace(/[a-z]$/, (letter) => (key.length > 1 && !/[+⇧]/.test(key) ? letter : letter.toUpperCase()))
  );
}
