/** Puts the page together. */

import "./style/base.css";
import "./style/layout.css";
import "./style/controls.css";
import "./style/panels.css";
import "./style/small.css";
import { BatchDialog } from "./batch/batch";
import { fromDrop } from "./batch/dropped";
import { Stage } from "./draw/stage";
import { Actions } from "./editor/actions";
import { Editor, type ToolId } from "./editor/editor";
import { Notices } from "./editor/notices";
import * as api from "./net/api";
import { Brush } from "./tools/brush";
import { Frame } from "./tools/frame";
import { Hand } from "./tools/hand";
import { KeyboardPointer } from "./tools/keyboard";
import { Click, Lasso, Rectangle } from "./tools/outline";
import { Pointer } from "./tools/pointer";
import type { Tool } from "./tools/tool";
import { authorize } from "./ui/access";
import { commands, type Doors } from "./ui/commands";
import { h, pickFiles } from "./ui/dom";
import { fillbar } from "./ui/fillbar";
import { helpDialog } from "./ui/help";
import { Keys } from "./ui/keys";
import { maskPanel } from "./ui/maskpanel";
import { methodPanel } from "./ui/methodpanel";
import { offers } from "./ui/offers";
import { rail } from "./ui/rail";
import { Saving } from "./ui/save";
import { stepsPanel } from "./ui/steps";
import { followTheme, toggleTheme } from "./ui/theme";
import { toolPanel } from "./ui/toolpanel";
import { topbar } from "./ui/topbar";
import { welcome } from "./ui/welcome";

const editor = new Editor();
const notices = new Notices();
const actions = new Actions(editor, notices);
const stage = new Stage(editor);
const brush = new Brush(editor);
const tools: Readonly<Record<ToolId, Tool>> = {
  brush,
  eraser: brush,
  lasso: new Lasso(editor),
  rectangle: new Rectangle(editor),
  click: new Click(editor, actions),
  hand: new Hand(editor),
  frame: new Frame(editor),
};
const pointer = new Pointer(editor, stage, tools);
const keyboard = new KeyboardPointer(editor, stage, tools);
const saving = new Saving(editor, notices);
const batch = new BatchDialog(editor, notices);

const doors: Doors = {
  open: () => void choosePhoto(),
  save: () => void saving.save(),
  saveAs: () => saving.open(),
  batch: () => batch.open(),
  help: () => showKeys(),
  theme: toggleTheme,
  panel: () => {
    document.body.classList.toggle("panel-open");
  },
  focusMethods: () => {
    document.body.classList.add("panel-open");
    panel.querySelector<HTMLElement>(".method-menu summary")?.focus();
  },
  focusDetectors: () => {
    document.body.classList.add("panel-open");
    panel.querySelector<HTMLDetailsElement>(".detectors")!.open = true;
    panel.querySelector<HTMLElement>(".detectors button")?.focus();
  },
  enter: () => {
    if (editor.offer) void actions.fills.chooseVariant(editor.offer.shown);
    else if (editor.tool === "frame") void actions.fills.outpaint(editor.margins);
    else void actions.fills.fill();
  },
  cancel: () => {
    if (pointer.cancel() || keyboard.cancel()) return;
    if (editor.work?.cancel) editor.work.cancel();
    else if (editor.offer) void actions.fills.dropVariants();
    else if (editor.compare !== "off") editor.setCompare("off");
    else document.body.classList.remove("panel-open");
  },
};

const panel = h("aside", { class: "panel", "aria-label": "Settings" }, [
  toolPanel(editor),
  maskPanel(editor, actions),
  methodPanel(editor),
  stepsPanel(editor, actions),
]);
const app = h("div", { class: "app" }, [
  topbar(editor, actions, doors, () => leave()),
  rail(editor),
  h("main", { class: "desk", "aria-label": "Picture" }, [stage.element, offers(editor, actions)]),
  panel,
  fillbar(editor, doors),
]);
const table = commands(editor, actions, doors);
const showKeys = helpDialog(table);
new Keys(editor, pointer, keyboard, stage.element, table);

async function choosePhoto(): Promise<void> {
  const [file] = await pickFiles("image/*,.lacuna");
  if (file) await openFile(file);
}

async function openFile(file: File): Promise<void> {
  if (await actions.opening.openFile(file)) showProject();
}

/** Counts where one went, so that an answer that comes late is known as such. */
let visits = 0;

/** The project's id is in the address: a reload, or a bookmark, comes back to it. */
function showProject(): void {
  const id = editor.project?.id;
  document.title = editor.project ? `${editor.project.name} – Lacuna` : "Lacuna";
  app.inert = editor.project === undefined;
  const hash = id ? `#project=${id}` : "";
  if (location.hash !== hash) history.pushState(null, "", hash || location.pathname);
  if (id) stage.element.focus({ preventScroll: true });
}

function leave(): void {
  visits++;
  editor.close();
  showProject();
}

async function openById(id: string): Promise<void> {
  const mine = ++visits;
  const project = await actions.opening.fetchProject(id);
  // Somebody went on, or back, while it was fetched.
  if (mine !== visits) return;
  const outcome = typeof project === "string" ? project : await actions.opening.openProject(project);
  if (outcome === "gone") {
    notices.advise("That project is not on the server any more: projects expire.", "Open the photo again.");
    editor.close();
  }
  if (outcome !== "failed") showProject();
}

function fromAddress(): Promise<void> {
  const id = new URLSearchParams(location.hash.slice(1)).get("project");
  if (!id) {
    leave();
    return Promise.resolve();
  }
  return id === editor.project?.id ? Promise.resolve() : openById(id);
}

async function drop(transfer: DataTransfer): Promise<void> {
  const { files, folder } = await fromDrop(transfer);
  const [first] = files;
  if (!first) return;
  if (folder || files.length > 1) await batch.take(files);
  else if (editor.project && /[._-]mask\.[^.]+$/i.test(first.path))
    await actions.finding.importMask(first.file);
  else await openFile(first.file);
}

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer) void drop(event.dataTransfer);
});
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
  if (file) void openFile(file);
});
addEventListener("keydown", (event) => {
  if (/^(Tab|Arrow)/.test(event.key)) document.body.classList.add("by-keys");
});
addEventListener("pointerdown", () => document.body.classList.remove("by-keys"));
addEventListener("popstate", () => void fromAddress());

async function start(): Promise<void> {
  followTheme();
  app.inert = true;
  document.body.prepend(welcome(editor, doors, openById), app, notices.element);
  editor.emit("tool", "settings", "mask", "margins");
  try {
    await authorize();
    [editor.methods, editor.detectors, editor.limits] = await Promise.all([
      api.methods(),
      api.detectors(),
      api.limits(),
    ]);
    // A method that was chosen on another server may not be here.
    if (!editor.method?.available) editor.set({ method: "auto", options: {}, prompt: null });
    editor.emit("settings");
    // Unless somebody was faster and opened a photo already.
    if (location.hash) await fromAddress();
  } catch (error) {
    notices.show(error);
  }
}

void start();
