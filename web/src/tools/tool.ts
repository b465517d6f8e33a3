/** What a tool does with a pointer; points are in pixels of the picture. */

import type { Point } from "../core/geometry";
import type { View } from "../core/view";
import type { Editor } from "../editor/editor";

export interface Hints {
  readonly shift: boolean;
  readonly alt: boolean;
}

export interface Tool {
  down(p: Point, hints: Hints): void;
  /** Several points when the device reports more often than the screen is drawn. */
  move(points: readonly Point[], hints: Hints): void;
  up(p: Point): void;
  /** Escape, or a second finger: as if `down` had not happened. */
  cancel(): void;
  /**
   * What is drawn above the picture while the tool works; the context is in CSS pixels. `unit` is larger than 1 where
   * the page is, on very large screens.
   */
  paint?(context: CanvasRenderingContext2D, view: View, unit: number): void;
}

/** Erasing is brushing with 0: by the eraser, or by any tool while Alt is held. */
export function valueFor(editor: Editor, hints: Hints): 0 | 1 {
  return (editor.tool === "eraser") !== hints.alt ? 0 : 1;
}
