/** Where the picture stands on the screen: screen = picture × scale + (x, y), all in CSS pixels. */

import { clamp, type Point, type Size } from "./geometry";

export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** One picture pixel is never larger than this many CSS pixels. */
export const MAX_SCALE = 64;
/** How much of the picture stays in sight whatever one drags, in CSS pixels. */
const KEEP = 64;

export function toPicture(view: View, p: Point): Point {
  return { x: (p.x - view.x) / view.scale, y: (p.y - view.y) / view.scale };
}

export function toScreen(view: View, p: Point): Point {
  return { x: p.x * view.scale + view.x, y: p.y * view.scale + view.y };
}

/** The whole picture in the middle, never enlarged. */
export function fitted(picture: Size, screen: Size, margin: number): View {
  const across = Math.max(1, screen.width - 2 * margin);
  const down = Math.max(1, screen.height - 2 * margin);
  const scale = Math.min(1, across / picture.width, down / picture.height);
  return centred(picture, screen, scale);
}

function centred(picture: Size, screen: Size, scale: number): View {
  return {
    scale,
    x: (screen.width - picture.width * scale) / 2,
    y: (screen.height - picture.height * scale) / 2,
  };
}

/** Zoom by a factor; what lies under `anchor` (screen) stays there. */
export function zoom(view: View, factor: number, anchor: Point, least: number): View {
  const scale = clamp(view.scale * factor, least, MAX_SCALE);
  const kept = toPicture(view, anchor);
  return { scale, x: anchor.x - kept.x * scale, y: anchor.y - kept.y * scale };
}

export function pan(view: View, dx: number, dy: number): View {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** Two fingers moved: the picture follows both, without turning. */
export function pinch(
  view: View,
  from: readonly [Point, Point],
  to: readonly [Point, Point],
  least: number,
): View {
  const before = middle(from);
  const after = middle(to);
  const factor = apart(to) / Math.max(1, apart(from));
  return zoom(pan(view, after.x - before.x, after.y - before.y), factor, after, least);
}

/** Keep a part of the picture in sight. */
export function held(view: View, picture: Size, screen: Size): View {
  const across = picture.width * view.scale;
  const down = picture.height * view.scale;
  return {
    scale: view.scale,
    x: clamp(view.x, KEEP - across, screen.width - KEEP),
    y: clamp(view.y, KEEP - down, screen.height - KEEP),
  };
}

function middle([a, b]: readonly [Point, Point]): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function apart([a, b]: readonly [Point, Point]): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
