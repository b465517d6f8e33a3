/** The name of the photo, undo, compare, zoom, the badge, and the way out. */

import type { Actions } from "../editor/actions";
import type { Editor } from "../editor/editor";
import type { Doors } from "./commands";
import { button, h, replace } from "./dom";
import { icon } from "./icons";
import { counted, megapixels, whole } from "./words";

export function topbar(editor: Editor, actions: Actions, doors: Doors, home: () => void): HTMLElement {
  const name = h("span", { class: "filename" });
  const facts = h("span", { class: "facts" });
  const badge = h("span", { class: "badge", role: "status" });
  const zoom = button(
    { class: "plain zoom", label: "Zoom: show the whole picture", key: "0", act: () => editor.fitView() },
    [],
  );
  const undo = button(
    { class: "plain", label: "Undo", key: "Ctrl+Z", act: () => void actions.steps.undo() },
    [icon("undo")],
  );
  const redo = button(
    { class: "plain", label: "Redo", key: "Ctrl+⇧Z", act: () => void actions.steps.redo() },
    [icon("redo")],
  );
  const compare = button(
    {
      class: "plain",
      label: "Before and after",
      key: "V",
      act: () => editor.setCompare(editor.compare === "slider" ? "off" : "slider"),
    },
    [icon("compare")],
  );
  const save = button({ class: "primary", label: "Save", key: "Ctrl+S", act: doors.saveAs }, [
    icon("save"),
    h("span", { class: "word" }, ["Save"]),
  ]);
  const logo = button({ class: "plain logo", label: "Lacuna, start page", act: home }, [
    mark(),
    h("span", {}, ["Lacuna"]),
  ]);
  const editing = h("div", { class: "editing" }, [
    h("div", { class: "title" }, [name, facts]),
    h("div", { class: "group" }, [undo, redo, compare, zoom]),
    badge,
  ]);
  const bar = h("header", { class: "topbar" }, [
    logo,
    editing,
    h("div", { class: "group end" }, [
      button({ class: "plain open", label: "Open", key: "Ctrl+O", act: doors.open }, [icon("open")]),
      button({ class: "plain batch", label: "Many pictures", act: doors.batch }, [icon("batch")]),
      button({ class: "plain theme", label: "Light or dark", key: "T", act: doors.theme }, [
        icon("sun"),
        icon("moon"),
      ]),
      button({ class: "plain", label: "Keys", key: "?", act: doors.help }, [icon("help")]),
      save,
    ]),
  ]);

  const showProject = () => {
    const { project, version } = editor;
    editing.hidden = !project;
    save.hidden = !project;
    if (!project || !version) return;
    name.textContent = project.name;
    name.title = project.name;
    facts.textContent = `${whole(version.width)} × ${whole(version.height)} · ${megapixels(version.width, version.height)} · ${project.photo.format}`;
    const changed = project.changed_known;
    badge.dataset.kind = changed ? "changed" : "kept";
    replace(badge, [
      icon(changed ? "dots" : "check"),
      h("span", {}, [`${counted(changed, "known pixel")} changed`]),
    ]);
    badge.title = `Counted between the photo and the picture now, outside what was filled: ${whole(changed)} of ${whole(project.known)} known pixels differ.`;
  };
  const showUndo = () => {
    const { undoLabel, redoLabel } = editor.history;
    undo.disabled = !undoLabel;
    redo.disabled = !redoLabel;
    undo.title = undoLabel ? `Undo: ${undoLabel} (Ctrl+Z)` : "Nothing to undo";
    redo.title = redoLabel ? `Redo: ${redoLabel} (Ctrl+Shift+Z)` : "Nothing to redo";
  };
  editor.on(["project", "offer"], showProject);
  editor.on("undo", showUndo);
  editor.on(["view", "project"], () => {
    zoom.textContent = `${Math.round(editor.view.scale * devicePixelRatio * 100)} %`;
  });
  editor.on("compare", () => compare.setAttribute("aria-pressed", String(editor.compare === "slider")));
  showProject();
  showUndo();
  return bar;
}

/** The sign of Lacuna: a square with a piece missing. */
function mark(): HTMLElement {
  return h("span", { class: "mark", "aria-hidden": "true" });
}
