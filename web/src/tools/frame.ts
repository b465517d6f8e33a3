import { clamp, type Point } from "../core/geometry";
import { toScreen, type View } from "../core/view";
import { type Editor, NO_MARGINS } from "../editor/editor";
import type { Margins } from "../net/types";
import type { Tool } from "./tool";

/** How near to an edge one has to begin, in CSS pixels; a finger needs that much. */
const REACH = 24;
/** The server refuses more than eight times the area; twice each way is enough for a drag. */
const MOST = 2;

type Side = keyof Margins;

/** Drag an edge or a corner of the picture outwards: the new area is what will be filled. */
export class Frame implements Tool {
  private held: readonly Side[] = [];
  private before: Margins = NO_MARGINS;

  constructor(private readonly editor: Editor) {}

  down(p: Point): void {
    this.before = this.editor.margins;
    this.held = this.sidesAt(p);
  }

  move(points: readonly Point[]): void {
    const p = points.at(-1);
    if (!p || !this.held.length) return;
    const { width, height } = this.editor.picture;
    const out: Margins = { left: -p.x, top: -p.y, right: p.x - width, bottom: p.y - height };
    const margins = { ...this.editor.margins };
    for (const side of this.held) {
      const most = MOST * (side === "left" || side === "right" ? width : height);
      margins[side] = Math.round(clamp(out[side], 0, most));
    }
    this.editor.setMargins(margins);
  }

  up(): void {
    this.held = [];
  }

  cancel(): void {
    this.held = [];
    this.editor.setMargins(this.before);
  }

  /** The sides that a point can take hold of; two at a corner. */
  sidesAt(p: Point): readonly Side[] {
    const { margins, picture, view } = this.editor;
    const reach = REACH / view.scale;
    const [left, right] = [-margins.left, picture.width + margins.right];
    const [top, bottom] = [-margins.top, picture.height + margins.bottom];
    if (p.x < left - reach || p.x > right + reach || p.y < top - reach || p.y > bottom + reach) return [];
    const sides: Side[] = [];
    if (Math.abs(p.x - left) <= reach) sides.push("left");
    else if (Math.abs(p.x - right) <= reach) sides.push("right");
    if (Math.abs(p.y - top) <= reach) sides.push("top");
    else if (Math.abs(p.y - bottom) <= reach) sides.push("bottom");
    return sides;
  }

  paint(context: CanvasRenderingContext2D, view: View, unit: number): void {
    const { margins, picture } = this.editor;
    const a = toScreen(view, { x: -margins.left, y: -margins.top });
    const b = toScreen(view, { x: picture.width + margins.right, y: picture.height + margins.bottom });
    const inner = toScreen(view, { x: 0, y: 0 });
    const size = { x: picture.width * view.scale, y: picture.height * view.scale };
    context.beginPath();
    context.rect(a.x, a.y, b.x - a.x, b.y - a.y);
    context.rect(inner.x, inner.y, size.x, size.y);
    context.fillStyle = "#7c8cff47";
    context.fill("evenodd");
    context.beginPath();
    context.rect(a.x, a.y, b.x - a.x, b.y - a.y);
    context.lineWidth = 3 * unit;
    context.strokeStyle = "#0009";
    context.stroke();
    context.lineWidth = 1.5 * unit;
    context.strokeStyle = "#fff";
    context.stroke();
    const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    for (const [x, y] of [
      [a.x, a.y],
      [middle.x, a.y],
      [b.x, a.y],
      [a.x, middle.y],
      [b.x, middle.y],
      [a.x, b.y],
      [middle.x, b.y],
      [b.x, b.y],
    ] as const) {
      context.beginPath();
      context.arc(x, y, 5.5 * unit, 0, 2 * Math.PI);
      context.fillStyle = "#fff";
      context.fill();
      context.lineWidth = 1.5 * unit;
      context.strokeStyle = "#000a";
      context.stroke();
    }
  }
}
