/** A pointer for those who have none: arrow keys move a cursor, Space puts the tool down and lifts it. */

import { clamp, type Point } from "../core/geometry";
import { pan, toScreen } from "../core/view";
import type { Stage } from "../draw/stage";
import type { Editor, ToolId } from "../editor/editor";
import type { Tool } from "./tool";

/** CSS pixels per key press, and with Shift. */
const STEP = 8;
const LEAP = 48;
/** How far from the edge of the screen the cursor stays: the picture moves under it. */
const EDGE = 40;

const WAYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class KeyboardPointer {
  private active: Tool | undefined;

  constructor(
    private readonly editor: Editor,
    private readonly stage: Stage,
    private readonly tools: Readonly<Record<ToolId, Tool>>,
  ) {}

  /** Move by an arrow key; false if the key is not one. */
  arrow(key: string, shift: boolean): boolean {
    const way = WAYS[key];
    if (!way) return false;
    const { editor, stage } = this;
    const step = (shift ? LEAP : STEP) / editor.view.scale;
    const from = stage.cursor ?? stage.centreCursor();
    // The first press shows the cursor where it is.
    const by = stage.cursorByKeys ? step : 0;
    const to = {
      x: clamp(from.x + way[0] * by, 0, editor.picture.width),
      y: clamp(from.y + way[1] * by, 0, editor.picture.height),
    };
    stage.cursor = to;
    stage.cursorByKeys = true;
    this.active?.move([to], { shift: false, alt: false });
    this.follow(to);
    stage.redraw("marks");
    return true;
  }

  /** Space: true if the tool is down afterwards. */
  toggle(): boolean {
    const { editor, stage } = this;
    const at = stage.cursor ?? stage.centreCursor();
    stage.cursor = at;
    stage.cursorByKeys = true;
    if (this.active) {
      this.active.up(at);
      this.active = undefined;
    } else {
      this.active = this.tools[editor.tool];
      this.active.down(at, { shift: false, alt: false });
    }
    stage.redraw("marks", "tint");
    return this.active !== undefined;
  }

  cancel(): boolean {
    const { active } = this;
    this.active = undefined;
    active?.cancel();
    return active !== undefined;
  }

  private follow(cursor: Point): void {
    const { editor } = this;
    const at = toScreen(editor.view, cursor);
    const dx = clamp(at.x, EDGE, editor.screen.width - EDGE) - at.x;
    const dy = clamp(at.y, EDGE, editor.screen.height - EDGE) - at.y;
    if (dx || dy) editor.setView(pan(editor.view, dx, dy));
  }
}
