/** Masks as the server sends and takes them: runs inside a rectangle. */

import type { WireMask } from "../net/types";
import type { TiledMask } from "./mask";

const NOTHING: WireMask = { left: 0, top: 0, width: 0, height: 0, counts: [] };

export function toWire(mask: TiledMask): WireMask {
  const box = mask.bounds();
  if (!box) return NOTHING;
  const width = box.right - box.left;
  const counts: number[] = [];
  let at = 0; // where the last run ended, counted in reading order inside the box
  for (let y = box.top; y < box.bottom; y++) {
    const row = (y - box.top) * width - box.left;
    const pairs = mask.runsOfRow(y);
    for (let i = 0; i < pairs.length; i += 2) {
      const start = row + pairs[i]!;
      const end = row + pairs[i + 1]!;
      if (start === at && counts.length) counts[counts.length - 1]! += end - start;
      else counts.push(start - at, end - start);
      at = end;
    }
  }
  const rest = width * (box.bottom - box.top) - at;
  if (rest) counts.push(rest);
  return { left: box.left, top: box.top, width, height: box.bottom - box.top, counts };
}

/** Paint a mask of the server into the edit that is open, moved by (dx, dy). */
export function paintWire(mask: TiledMask, wire: WireMask, value: 0 | 1 = 1, dx = 0, dy = 0): void {
  let at = 0;
  wire.counts.forEach((run, index) => {
    const end = at + run;
    if (index % 2 === 1) {
      // A run may go on over the ends of rows.
      for (let start = at; start < end; ) {
        const row = Math.floor(start / wire.width);
        const stop = Math.min(end, (row + 1) * wire.width);
        const left = start - row * wire.width + wire.left + dx;
        mask.span(row + wire.top + dy, left, left + stop - start, value);
        start = stop;
      }
    }
    at = end;
  });
}
