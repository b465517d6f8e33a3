/** The canvases: the picture, the masks as a tint above it, and what tools draw above both. */

import type { Box, Point } from "../core/geometry";
import { toPicture, toScreen } from "../core/view";
import type { Editor } from "../editor/editor";
import type { Tool } from "../tools/tool";
import { h } from "../ui/dom";
import { PictureLayer, type Shown } from "./picture";
import { TileStore } from "./tilestore";
import { TintLayer } from "./tint";

export class Stage {
  private readonly pictureCanvas = h("canvas", { class: "layer" });
  private readonly tintCanvas = h("canvas", { class: "layer" });
  private readonly markCanvas = h("canvas", { class: "layer" });
  readonly element = h(
    "div",
    {
      class: "stage",
      tabindex: 0,
      role: "application",
      "aria-label":
        "Picture. Arrow keys move a cursor, Space draws with the tool, question mark lists all keys.",
    },
    [this.pictureCanvas, this.tintCanvas, this.markCanvas],
  );
  /** Where the pointer or the cursor of the keyboard is, in the picture; undefined if nowhere. */
  cursor: Point | undefined;
  cursorByKeys = false;
  tool: Tool | undefined;
  private ratio = 1;
  /** How much larger the page is than usual, which it is on very large screens. */
  private unit = 1;
  private readonly dirty = { picture: true, tint: true, marks: true };
  private frame = 0;
  private readonly store = new TileStore(() => this.redraw("picture"));
  private readonly picture = new PictureLayer(this.store);
  private readonly holeTint = new TintLayer();
  private readonly sourcesTint = new TintLayer();
  private colours = { hole: "", sources: "" };

  constructor(private readonly editor: Editor) {
    editor.on(["project", "offer", "compare"], () => this.redraw("picture", "tint", "marks"));
    editor.on("view", () => this.redraw("picture", "tint", "marks"));
    editor.on("mask", () => this.redraw("tint", "marks"));
    editor.on("paint", () => this.redraw("tint", "marks"));
    editor.on(["tool", "margins"], () => this.redraw("marks"));
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  /** The colours of masks come from the style sheet. */
  private restyle(): void {
    const style = getComputedStyle(this.element);
    this.unit = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    this.colours = {
      hole: style.getPropertyValue("--hole").trim(),
      sources: style.getPropertyValue("--sources").trim(),
    };
    this.redraw("picture", "tint", "marks");
  }

  redraw(...layers: (keyof Stage["dirty"])[]): void {
    for (const layer of layers) this.dirty[layer] = true;
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  /** True when the picture is drawn as sharp as it can be. */
  get settled(): boolean {
    return this.frame === 0 && this.store.waiting === 0;
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    this.ratio = devicePixelRatio;
    for (const canvas of [this.pictureCanvas, this.tintCanvas, this.markCanvas]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    this.editor.resize({ width, height });
    // At once, not in the next frame: a canvas that was resized is blank.
    this.restyle();
    cancelAnimationFrame(this.frame);
    this.draw();
  }

  private draw(): void {
    this.frame = 0;
    const { dirty } = this;
    if (dirty.picture) this.drawPicture();
    if (dirty.tint) this.drawTint();
    if (dirty.marks) this.drawMarks();
    dirty.picture = dirty.tint = dirty.marks = false;
  }

  private get screen(): Box {
    return { left: 0, top: 0, right: this.pictureCanvas.width, bottom: this.pictureCanvas.height };
  }

  private cleared(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d")!;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    return context;
  }

  private drawPicture(): void {
    const { editor, ratio, screen } = this;
    const context = this.cleared(this.pictureCanvas);
    const { project, version, view } = editor;
    if (!project || !version) return;
    const after: Shown = { project, version, offset: { x: 0, y: 0 } };
    const first = project.versions[project.original];
    const before: Shown | undefined = first && {
      project,
      version: first,
      offset: { x: version.origin[0], y: version.origin[1] },
    };
    this.store.beginFrame();
    if (project.photo.alpha) this.drawChecks(context);
    if (editor.compare === "off" || !before) this.picture.draw(context, after, view, ratio, screen);
    else if (editor.compare === "hold") this.picture.draw(context, before, view, ratio, screen);
    else {
      const line = Math.round(editor.divide * screen.right);
      this.picture.draw(context, before, view, ratio, { ...screen, right: line });
      this.picture.draw(context, after, view, ratio, { ...screen, left: line });
    }
    this.store.endFrame();
  }

  /** What shows through a transparent picture. */
  private drawChecks(context: CanvasRenderingContext2D): void {
    const { editor, ratio } = this;
    const side = Math.round(8 * ratio);
    const tile = new OffscreenCanvas(2 * side, 2 * side);
    const pen = tile.getContext("2d")!;
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 2 * side, 2 * side);
    pen.fillStyle = "#ddd";
    pen.fillRect(0, 0, side, side);
    pen.fillRect(side, side, side, side);
    const { scale, x, y } = editor.view;
    context.fillStyle = context.createPattern(tile, "repeat")!;
    context.fillRect(
      x * ratio,
      y * ratio,
      editor.picture.width * scale * ratio,
      editor.picture.height * scale * ratio,
    );
  }

  private drawTint(): void {
    const { editor, ratio, screen } = this;
    const context = this.cleared(this.tintCanvas);
    if (!editor.project || !editor.tintShown || editor.compare !== "off" || editor.offer) return;
    this.sourcesTint.draw(context, editor.sources, this.colours.sources, editor.view, ratio, screen);
    this.holeTint.draw(context, editor.hole, this.colours.hole, editor.view, ratio, screen);
  }

  private drawMarks(): void {
    const { editor, ratio } = this;
    const context = this.cleared(this.markCanvas);
    if (!editor.project) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (editor.compare === "slider") {
      this.drawDivide(context);
      return;
    }
    this.tool?.paint?.(context, editor.view, this.unit);
    if (!this.cursor) return;
    const at = toScreen(editor.view, this.cursor);
    if (editor.tool === "brush" || editor.tool === "eraser") {
      ring(context, at, Math.max(1.5, editor.radius * editor.view.scale), this.unit);
    }
    if (this.cursorByKeys) cross(context, at, this.unit);
  }

  private drawDivide(context: CanvasRenderingContext2D): void {
    const { unit } = this;
    const { width, height } = this.editor.screen;
    const x = Math.round(this.editor.divide * width);
    context.fillStyle = "#0006";
    context.fillRect(x - 1.5 * unit, 0, 3 * unit, height);
    context.fillStyle = "#fff";
    context.fillRect(x - 0.5 * unit, 0, unit, height);
    context.font = `600 ${12 * unit}px ${getComputedStyle(this.element).fontFamily}`;
    context.textBaseline = "middle";
    for (const [words, side] of [
      ["Before", -1],
      ["After", 1],
    ] as const) {
      const across = context.measureText(words).width + 20 * unit;
      const left = side < 0 ? x - 10 * unit - across : x + 10 * unit;
      context.fillStyle = "#000b";
      context.beginPath();
      context.roundRect(left, height - 40 * unit, across, 26 * unit, 13 * unit);
      context.fill();
      context.fillStyle = "#fff";
      context.fillText(words, left + 10 * unit, height - 26.5 * unit);
    }
  }

  /** Put the cursor of the keyboard in the middle of what is in sight. */
  centreCursor(): Point {
    const { view, screen } = this.editor;
    return toPicture(view, { x: screen.width / 2, y: screen.height / 2 });
  }
}

/** White within black: to be seen on any picture. */
function ring(context: CanvasRenderingContext2D, at: Point, radius: number, unit: number): void {
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  context.lineWidth = 3 * unit;
  context.strokeStyle = "#0009";
  context.stroke();
  context.lineWidth = 1.25 * unit;
  context.strokeStyle = "#fff";
  context.stroke();
}

function cross(context: CanvasRenderingContext2D, at: Point, unit: number): void {
  for (const [width, colour] of [
    [4, "#000a"],
    [1.5, "#fff"],
  ] as const) {
    context.lineWidth = width * unit;
    context.strokeStyle = colour;
    context.beginPath();
    context.moveTo(at.x - 12 * unit, at.y);
    context.lineTo(at.x + 12 * unit, at.y);
    context.moveTo(at.x, at.y - 12 * unit);
    context.lineTo(at.x, at.y + 12 * unit);
    context.stroke();
  }
}
