import { boxOf, type Point } from "../core/geometry";
import { polygon, rectangle } from "../core/shapes";
import { toScreen, type View } from "../core/view";
import type { Actions } from "../editor/actions";
import type { Editor } from "../editor/editor";
import { type Hints, type Tool, valueFor } from "./tool";

/** Tools that draw an outline first: what it becomes is known when the pointer is lifted. */
abstract class Outline implements Tool {
  protected points: Point[] = [];
  protected value: 0 | 1 = 1;

  constructor(protected readonly editor: Editor) {}

  down(p: Point, hints: Hints): void {
    this.points = [p];
    this.value = valueFor(this.editor, hints);
  }

  move(points: readonly Point[]): void {
    if (!this.points.length) return;
    this.points.push(...points);
    this.editor.emit("paint");
  }

  up(p: Point): void {
    if (!this.points.length) return;
    this.points.push(p);
    const points = this.points;
    this.points = [];
    this.finish(points);
    this.editor.emit("paint");
  }

  cancel(): void {
    this.points = [];
    this.editor.emit("paint");
  }

  paint(context: CanvasRenderingContext2D, view: View, unit: number): void {
    if (this.points.length < 2) return;
    context.beginPath();
    this.trace(context, view);
    context.setLineDash([]);
    context.lineWidth = 3 * unit;
    context.strokeStyle = "#000a";
    context.stroke();
    context.setLineDash([5 * unit, 4 * unit]);
    context.lineWidth = 1.5 * unit;
    context.strokeStyle = "#fff";
    context.stroke();
    context.setLineDash([]);
  }

  protected abstract finish(points: readonly Point[]): void;

  protected trace(context: CanvasRenderingContext2D, view: View): void {
    const a = toScreen(view, this.points[0]!);
    const b = toScreen(view, this.points.at(-1)!);
    context.rect(a.x, a.y, b.x - a.x, b.y - a.y);
  }
}

export class Lasso extends Outline {
  protected finish(points: readonly Point[]): void {
    const { editor, value } = this;
    editor.edit("lasso", (mask) => {
      polygon(points, mask.height, (y, left, right) => mask.span(y, left, right, value));
    });
  }

  protected override trace(context: CanvasRenderingContext2D, view: View): void {
    for (const p of this.points) {
      const { x, y } = toScreen(view, p);
      context.lineTo(x, y);
    }
    context.closePath();
  }
}

export class Rectangle extends Outline {
  protected finish(points: readonly Point[]): void {
    const { editor, value } = this;
    editor.edit("rectangle", (mask) => {
      const box = boxOf(points[0]!, points.at(-1)!);
      rectangle(box, (y, left, right) => mask.span(y, left, right, value));
    });
  }
}

/** The server finds the outline of what was clicked, or of what lies in the box that was drawn around it. */
export class Click extends Outline {
  constructor(
    editor: Editor,
    private readonly actions: Actions,
  ) {
    super(editor);
  }

  protected finish(points: readonly Point[]): void {
    void this.actions.finding.click(points, this.value);
  }
}
