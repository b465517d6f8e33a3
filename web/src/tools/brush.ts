import type { Point } from "../core/geometry";
import type { TiledMask } from "../core/mask";
import { stroke } from "../core/shapes";
import type { Editor } from "../editor/editor";
import { type Hints, type Tool, valueFor } from "./tool";

/** Brush and eraser. With Shift a straight line from where the last stroke ended. */
export class Brush implements Tool {
  private mask: TiledMask | undefined;
  private last: Point | undefined;
  private value: 0 | 1 = 1;

  constructor(private readonly editor: Editor) {}

  down(p: Point, hints: Hints): void {
    this.mask = this.editor.mask;
    this.mask.begin();
    this.value = valueFor(this.editor, hints);
    this.draw(hints.shift && this.last ? this.last : p, p);
  }

  move(points: readonly Point[]): void {
    for (const p of points) this.draw(this.last ?? p, p);
  }

  up(): void {
    if (this.mask) this.editor.finishEdit(this.value ? "brush" : "erase", this.mask);
    this.mask = undefined;
  }

  cancel(): void {
    this.mask?.rollback();
    this.mask = undefined;
    this.editor.emit("mask");
  }

  private draw(from: Point, to: Point): void {
    const { mask, value } = this;
    if (!mask) return;
    stroke(from, to, this.editor.radius, (y, left, right) => mask.span(y, left, right, value));
    this.last = to;
    this.editor.emit("paint");
  }
}
