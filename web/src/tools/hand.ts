import type { Point } from "../core/geometry";
import { pan } from "../core/view";
import type { Editor } from "../editor/editor";
import type { Tool } from "./tool";

export class Hand implements Tool {
  private held: Point | undefined;

  constructor(private readonly editor: Editor) {}

  down(p: Point): void {
    this.held = p;
  }

  move(points: readonly Point[]): void {
    const { editor, held } = this;
    const p = points.at(-1);
    if (!held || !p) return;
    // The picture moves under the pointer, so the point that is held stays the same pixel of it.
    editor.setView(pan(editor.view, (p.x - held.x) * editor.view.scale, (p.y - held.y) * editor.view.scale));
  }

  up(): void {
    this.held = undefined;
  }

  cancel(): void {
    this.held = undefined;
  }
}
