/** Mouse, pen and fingers: one pointer uses the tool, two move and zoom the picture, and so does the wheel. */

import type { Point } from "../core/geometry";
import { pinch, toPicture } from "../core/view";
import type { Stage } from "../draw/stage";
import type { Editor, ToolId } from "../editor/editor";
import type { Frame } from "./frame";
import type { Hints, Tool } from "./tool";

/** The blunt end of a pen, as the button that it counts as and among the buttons that are down. */
const BLUNT_END = 5;
const BLUNT_END_DOWN = 32;
/** How near to the slider's line one takes hold of it, in CSS pixels. */
const DIVIDE_REACH = 32;

export class Pointer {
  private readonly fingers = new Map<number, Point>();
  private active: Tool | undefined;
  private dividing = false;
  /** While Space is held the tool is the hand. */
  panning = false;

  constructor(
    private readonly editor: Editor,
    private readonly stage: Stage,
    private readonly tools: Readonly<Record<ToolId, Tool>>,
  ) {
    const { element } = stage;
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.up(event));
    element.addEventListener("pointercancel", (event) => this.lost(event));
    element.addEventListener("pointerleave", () => this.leave());
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    editor.on(["tool", "project", "compare", "offer"], () => this.refresh());
  }

  /** Give up what is being drawn; true if there was something. */
  cancel(): boolean {
    const { active } = this;
    this.active = undefined;
    active?.cancel();
    return active !== undefined;
  }

  refresh(): void {
    this.stage.tool = this.tools[this.editor.tool];
    this.stage.element.dataset.cursor = this.panning ? "hand" : this.cursorName();
  }

  private cursorName(): string {
    if (!this.editor.project) return "none";
    if (this.editor.compare === "slider") return "slider";
    return this.editor.offer ? "hand" : this.editor.tool;
  }

  private point(event: PointerEvent | WheelEvent): Point {
    const { left, top } = this.stage.element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  private inPicture(event: PointerEvent): Point {
    return toPicture(this.editor.view, this.point(event));
  }

  private down(event: PointerEvent): void {
    const { editor, stage } = this;
    if (!editor.project || (event.button > 1 && event.button !== BLUNT_END)) return;
    stage.element.focus({ preventScroll: true });
    stage.element.setPointerCapture(event.pointerId);
    const p = this.point(event);
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, p);
      // A second finger means that the first was not meant to draw.
      if (this.fingers.size > 1) {
        this.cancel();
        return;
      }
    }
    if (editor.compare === "slider") {
      this.dividing = Math.abs(p.x - editor.divide * editor.screen.width) <= DIVIDE_REACH;
      if (this.dividing) return;
    }
    const moves = event.button === 1 || this.panning || editor.compare === "slider" || editor.offer;
    this.active = moves ? this.tools.hand : this.tools[editor.tool];
    this.active.down(this.inPicture(event), hints(event));
  }

  private move(event: PointerEvent): void {
    const { editor, stage } = this;
    if (!editor.project) return;
    const p = this.point(event);
    if (this.fingers.has(event.pointerId) && this.fingers.size === 2) {
      this.pinch(event.pointerId, p);
      return;
    }
    if (this.dividing) {
      editor.setDivide(p.x / editor.screen.width);
      return;
    }
    stage.cursorByKeys = false;
    stage.cursor = event.pointerType === "touch" && !this.active ? undefined : this.inPicture(event);
    if (this.active) {
      const events = event.getCoalescedEvents();
      const points = (events.length ? events : [event]).map((each) => this.inPicture(each));
      this.active.move(points, hints(event));
    } else if (editor.tool === "frame") this.showReach(stage.cursor);
    stage.redraw("marks");
  }

  private showReach(at: Point | undefined): void {
    const sides = at ? (this.tools.frame as Frame).sidesAt(at) : [];
    const across = sides.some((side) => side === "left" || side === "right");
    const down = sides.some((side) => side === "top" || side === "bottom");
    const falling = sides.includes("left") === sides.includes("top");
    const corner = falling ? "nwse" : "nesw";
    this.stage.element.dataset.cursor = across && down ? corner : across ? "ew" : down ? "ns" : "frame";
  }

  private pinch(id: number, to: Point): void {
    const { editor } = this;
    const [first, second] = [...this.fingers.values()] as [Point, Point];
    const [firstId] = this.fingers.keys();
    const after: [Point, Point] = id === firstId ? [to, second] : [first, to];
    editor.setView(pinch(editor.view, [first, second], after, editor.leastScale));
    this.fingers.set(id, to);
  }

  private up(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    this.dividing = false;
    const { active } = this;
    this.active = undefined;
    active?.up(this.inPicture(event));
    if (event.pointerType === "touch") this.leave();
  }

  private lost(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    this.dividing = false;
    this.cancel();
  }

  private leave(): void {
    if (this.active || this.stage.cursorByKeys) return;
    this.stage.cursor = undefined;
    this.stage.redraw("marks");
  }

  private wheel(event: WheelEvent): void {
    const { editor } = this;
    event.preventDefault();
    if (!editor.project) return;
    if (event.shiftKey) {
      const along = event.deltaX || event.deltaY;
      editor.setView({ ...editor.view, x: editor.view.x - along });
      return;
    }
    // Lines and pages instead of pixels; a trackpad's pinch comes as a wheel with Ctrl, in small steps.
    const pixels = event.deltaY * (event.deltaMode === 1 ? 32 : event.deltaMode === 2 ? 400 : 1);
    editor.zoomBy(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0018)), this.point(event));
  }
}

/** The blunt end of a pen takes off, as Alt does. */
function hints(event: PointerEvent): Hints {
  return { shift: event.shiftKey, alt: event.altKey || (event.buttons & BLUNT_END_DOWN) !== 0 };
}
