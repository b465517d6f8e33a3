/** Shapes as spans of pixels: a pixel belongs to a shape if its centre does, as in Lacuna's own rasteriser. */

import type { Box, Point } from "./geometry";

export type Spans = (y: number, left: number, right: number) => void;

/** Below this radius a dot between four pixels would hold no pixel's centre. */
const LEAST_RADIUS = Math.SQRT1_2;

/** A brush of `radius` drawn from p to q: every pixel within that distance of the segment. */
export function stroke(p: Point, q: Point, radius: number, paint: Spans): void {
  const r = Math.max(radius, LEAST_RADIUS);
  const first = Math.ceil(Math.min(p.y, q.y) - r - 0.5);
  const last = Math.floor(Math.max(p.y, q.y) + r - 0.5);
  const length = Math.hypot(q.x - p.x, q.y - p.y);
  const across = length ? { x: (-(q.y - p.y) / length) * r, y: ((q.x - p.x) / length) * r } : undefined;
  const sides = across && [
    [offset(p, across, 1), offset(q, across, 1)],
    [offset(p, across, -1), offset(q, across, -1)],
  ];
  for (let y = first; y <= last; y++) {
    const centre = y + 0.5;
    // The shape is convex: in each row it is one interval, the hull of two discs and two straight sides.
    let low = Infinity;
    let high = -Infinity;
    for (const end of [p, q]) {
      const square = r * r - (centre - end.y) ** 2;
      if (square < 0) continue;
      const half = Math.sqrt(square);
      low = Math.min(low, end.x - half);
      high = Math.max(high, end.x + half);
    }
    for (const [a, b] of (sides ?? []) as [Point, Point][]) {
      if (a.y === b.y || centre < Math.min(a.y, b.y) || centre > Math.max(a.y, b.y)) continue;
      const x = a.x + ((centre - a.y) / (b.y - a.y)) * (b.x - a.x);
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
    if (low <= high) emit(y, low, high, paint);
  }
}

function offset(p: Point, by: Point, sign: number): Point {
  return { x: p.x + sign * by.x, y: p.y + sign * by.y };
}

function emit(y: number, low: number, high: number, paint: Spans): void {
  const left = Math.ceil(low - 0.5);
  const right = Math.floor(high - 0.5) + 1;
  if (right > left) paint(y, left, right);
}

export function rectangle(box: Box, paint: Spans): void {
  const last = Math.ceil(box.bottom - 0.5);
  for (let y = Math.ceil(box.top - 0.5); y < last; y++) {
    const left = Math.ceil(box.left - 0.5);
    const right = Math.ceil(box.right - 0.5);
    if (right > left) paint(y, left, right);
  }
}

/** A closed outline; what it winds around, in whichever direction and however often, is inside. */
export function polygon(corners: readonly Point[], height: number, paint: Spans): void {
  const crossings = new Map<number, { x: number; turn: number }[]>();
  corners.forEach((a, index) => {
    const b = corners[(index + 1) % corners.length]!;
    if (a.y === b.y) return;
    const first = Math.max(0, Math.ceil(Math.min(a.y, b.y) - 0.5));
    const last = Math.min(height, Math.ceil(Math.max(a.y, b.y) - 0.5));
    for (let y = first; y < last; y++) {
      const x = a.x + ((y + 0.5 - a.y) / (b.y - a.y)) * (b.x - a.x);
      const row = crossings.get(y);
      const crossing = { x, turn: a.y < b.y ? 1 : -1 };
      if (row) row.push(crossing);
      else crossings.set(y, [crossing]);
    }
  });
  for (const [y, row] of crossings) {
    row.sort((a, b) => a.x - b.x);
    let winding = 0;
    let start = 0;
    for (const { x, turn } of row) {
      if (winding === 0) start = x;
      winding += turn;
      if (winding === 0) {
        const left = Math.ceil(start - 0.5);
        const right = Math.ceil(x - 0.5);
        if (right > left) paint(y, left, right);
      }
    }
  }
}
