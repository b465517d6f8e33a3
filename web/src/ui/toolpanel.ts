/** What the chosen tool can be told: the brush's size, or by how much the frame extends. */

import { type Editor, MAX_RADIUS, NO_MARGINS } from "../editor/editor";
import type { Margins } from "../net/types";
import { TOOLS } from "./commands";
import { button, field, h, replace } from "./dom";
import { percent, whole } from "./words";

const SIDES = ["left", "top", "right", "bottom"] as const;
const ASPECTS: readonly (readonly [string, number])[] = [
  ["1:1", 1],
  ["4:3", 4 / 3],
  ["3:2", 3 / 2],
  ["16:9", 16 / 9],
  ["9:16", 9 / 16],
];

export function toolPanel(editor: Editor): HTMLElement {
  const title = h("h2");
  const help = h("p", { class: "help" });
  const size = brushSize(editor);
  const frame = frameFields(editor);
  const show = () => {
    const tool = TOOLS.find(({ id }) => id === editor.tool)!;
    title.textContent = tool.label;
    help.textContent = tool.help;
    size.hidden = editor.tool !== "brush" && editor.tool !== "eraser";
    frame.hidden = editor.tool !== "frame";
  };
  editor.on("tool", show);
  show();
  return h("section", { class: "panel-part" }, [title, help, size, frame]);
}

/** The slider goes by the logarithm: a pixel matters for a small brush, not for a large one. */
function brushSize(editor: Editor): HTMLElement {
  const steps = 200;
  const slider = h("input", { type: "range", min: 0, max: steps });
  const output = h("output", {});
  slider.addEventListener("input", () =>
    editor.setRadius(0.5 * (2 * MAX_RADIUS) ** (slider.valueAsNumber / steps)),
  );
  editor.on("tool", () => {
    slider.value = String((Math.log(editor.radius / 0.5) / Math.log(2 * MAX_RADIUS)) * steps);
    const diameter = Math.max(1, Math.round(2 * editor.radius));
    output.textContent = `${whole(diameter)} px`;
    slider.setAttribute("aria-valuetext", `${diameter} pixels`);
  });
  const keys = h("span", { class: "keys" }, [h("kbd", {}, ["["]), h("kbd", {}, ["]"])]);
  return field("Size", slider, "", h("span", { class: "beside" }, [output, keys]), "inline");
}

function frameFields(editor: Editor): HTMLElement {
  const inputs = SIDES.map((side) => {
    const input = h("input", { type: "number", min: 0, step: 1, inputmode: "numeric" });
    input.addEventListener("change", () => {
      editor.setMargins({ ...editor.margins, [side]: Math.max(0, Math.round(input.valueAsNumber) || 0) });
    });
    return { side, input };
  });
  const result = h("p", { class: "help" });
  const aspects = ASPECTS.map(([words, aspect]) =>
    button(
      { class: "chip", label: `Extend to ${words}`, act: () => editor.setMargins(toAspect(editor, aspect)) },
      [words],
    ),
  );
  const none = button(
    { class: "link", label: "None: extend nothing", act: () => editor.setMargins(NO_MARGINS) },
    ["None"],
  );
  editor.on(["margins", "project"], () => {
    const { margins, picture } = editor;
    for (const { side, input } of inputs) input.value = String(margins[side]);
    const width = picture.width + margins.left + margins.right;
    const height = picture.height + margins.top + margins.bottom;
    const share = 1 - (picture.width * picture.height) / (width * height);
    replace(result, [`${whole(width)} × ${whole(height)}, ${percent(share)} of it new`]);
  });
  return h("div", { class: "stack" }, [
    h(
      "div",
      { class: "grid two" },
      inputs.map(({ side, input }) => field(side[0]!.toUpperCase() + side.slice(1), input)),
    ),
    h("div", { class: "chips", role: "group", "aria-label": "Extend to a shape" }, aspects),
    h("div", { class: "row spread" }, [result, none]),
  ]);
}

/** The least that makes the picture this wide for its height, the same on both sides. */
export function toAspect({ picture }: Pick<Editor, "picture">, aspect: number): Margins {
  const { width, height } = picture;
  const across = Math.max(0, Math.round(height * aspect) - width);
  const down = Math.max(0, Math.round(width / aspect) - height);
  const left = Math.floor(across / 2);
  const top = Math.floor(down / 2);
  return { left, top, right: across - left, bottom: down - top };
}
