/** Grow, shrink and invert. All three paint spans into the mask that is being edited. */

import type { TiledMask } from "./mask";

/** Add every pixel within `radius` of a missing one, in all directions alike. */
export function grow(mask: TiledMask, radius: number): void {
  spread(mask, radius, allRuns(mask), 1);
}

/** Take away every pixel within `radius` of a known one; the picture's edge does not bite. */
export function shrink(mask: TiledMask, radius: number): void {
  const known = allRuns(mask).map((pairs) => complement(pairs, mask.width));
  spread(mask, radius, known, 0);
}

export function invert(mask: TiledMask): void {
  allRuns(mask).forEach((pairs, y) => {
    for (let i = 0; i < pairs.length; i += 2) mask.span(y, pairs[i]!, pairs[i + 1]!, 0);
    const known = complement(pairs, mask.width);
    for (let i = 0; i < known.length; i += 2) mask.span(y, known[i]!, known[i + 1]!, 1);
  });
}

export function clear(mask: TiledMask): void {
  for (let y = 0; y < mask.height; y++) mask.span(y, 0, mask.width, 0);
}

function allRuns(mask: TiledMask): number[][] {
  return Array.from({ length: mask.height }, (_, y) => mask.runsOfRow(y));
}

function complement(pairs: number[], width: number): number[] {
  const gaps: number[] = [];
  let start = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i]! > start) gaps.push(start, pairs[i]!);
    start = pairs[i + 1]!;
  }
  if (start < width) gaps.push(start, width);
  return gaps;
}

function spread(mask: TiledMask, radius: number, runs: number[][], value: 0 | 1): void {
  const reach = Math.floor(radius);
  const halves = Array.from({ length: reach + 1 }, (_, dy) =>
    Math.floor(Math.sqrt(radius * radius - dy * dy)),
  );
  for (let y = 0; y < mask.height; y++) {
    // All that reaches this row, joined before it is painted: overlapping discs would paint each pixel many times.
    const reaching: [number, number][] = [];
    for (let source = Math.max(0, y - reach); source <= Math.min(mask.height - 1, y + reach); source++) {
      const half = halves[Math.abs(source - y)]!;
      const pairs = runs[source]!;
      for (let i = 0; i < pairs.length; i += 2) reaching.push([pairs[i]! - half, pairs[i + 1]! + half]);
    }
    reaching.sort((a, b) => a[0] - b[0]);
    let left = 0;
    let right = -Infinity;
    for (const [from, to] of reaching) {
      if (from > right) {
        if (right > left) mask.span(y, left, right, value);
        left = from;
        right = to;
      } else if (to > right) right = to;
    }
    if (right > left) mask.span(y, left, right, value);
  }
}
