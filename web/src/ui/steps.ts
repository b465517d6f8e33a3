/** What was done, newest last: each step can be switched off, moved, marked again or deleted. */

import type { Actions } from "../editor/actions";
import type { Editor } from "../editor/editor";
import { cropUrl } from "../net/api";
import type { Project, Step, WireBox } from "../net/types";
import { button, h, replace } from "./dom";
import { icon } from "./icons";
import { seconds, whole } from "./words";

const THUMB = 96;

export function stepsPanel(editor: Editor, actions: Actions): HTMLElement {
  const list = h("ol", { class: "steps" });
  const none = h("p", { class: "help" }, [
    "Each fill becomes a step here. The photo itself is never changed.",
  ]);
  const part = h("section", { class: "panel-part" }, [h("h2", {}, ["Steps"]), none, list]);
  editor.on("project", () => {
    const { project } = editor;
    const steps = project?.steps ?? [];
    none.hidden = steps.length > 0;
    if (project)
      replace(
        list,
        steps.map((step, index) => entry(project, step, index, actions)),
      );
  });
  return part;
}

function entry(project: Project, step: Step, index: number, actions: Actions): HTMLElement {
  const name = step.kind === "fill" ? "Fill" : "Extend";
  const label = `step ${index + 1}`;
  const on = h("input", { type: "checkbox", checked: step.enabled, "aria-label": `Use ${label}` });
  on.addEventListener("change", () => void actions.steps.enableStep(step, on.checked));
  const chosen = step.chosen && step.chosen !== step.method ? `by ${step.method}` : "";
  const facts = [chosen, `${whole(step.missing)} px`, step.elapsed ? seconds(step.elapsed) : ""]
    .filter(Boolean)
    .join(" · ");
  const up = button(
    { class: "plain small", label: `Move ${label} up`, act: () => void actions.steps.moveStep(step, -1) },
    [icon("up")],
  );
  const down = button(
    { class: "plain small", label: `Move ${label} down`, act: () => void actions.steps.moveStep(step, 1) },
    [icon("down")],
  );
  up.disabled = index === 0;
  down.disabled = index === project.steps.length - 1;
  const notes = step.notes.length
    ? h("details", { class: "notes" }, [
        h("summary", {}, ["Notes"]),
        h(
          "ul",
          {},
          step.notes.map((note) => h("li", {}, [note])),
        ),
      ])
    : "";
  return h("li", { class: step.enabled ? "step" : "step off" }, [
    on,
    thumbnail(project, step),
    h("div", { class: "step-words" }, [
      h("p", {}, [h("strong", {}, [name]), ` ${step.chosen ?? step.method}`]),
      h("p", { class: "help" }, [facts]),
    ]),
    h("div", { class: "step-acts" }, [
      up,
      down,
      step.kind === "fill"
        ? button(
            {
              class: "plain small",
              label: `Mark the area of ${label} again`,
              act: () => void actions.steps.markAgain(step),
            },
            [icon("brush")],
          )
        : "",
      button(
        { class: "plain small", label: `Delete ${label}`, act: () => void actions.steps.deleteStep(step) },
        [icon("trash")],
      ),
    ]),
    notes,
  ]);
}

function thumbnail(project: Project, step: Step): HTMLElement | string {
  const version = step.version ? project.versions[step.version] : undefined;
  if (!version) return h("span", { class: "thumb none" });
  const box = around(step.box, version.width, version.height);
  const url = cropUrl(project.id, version.key, THUMB, box);
  return h("img", { class: "thumb", src: url, alt: "", loading: "lazy", width: 40, height: 40 });
}

/** A square around a box with some of what surrounds it, inside the picture. */
export function around([left, top, width, height]: WireBox, across: number, down: number): WireBox {
  const side = Math.ceil(Math.max(width, height) * 1.5);
  const w = Math.min(across, Math.max(32, side));
  const h = Math.min(down, Math.max(32, side));
  const x = Math.round(left + width / 2 - w / 2);
  const y = Math.round(top + height / 2 - h / 2);
  return [Math.max(0, Math.min(x, across - w)), Math.max(0, Math.min(y, down - h)), w, h];
}
