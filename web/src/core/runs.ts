/**
 * Run lengths of a tile: pixels known, missing, known, … in reading order, beginning with a known run that may be 0.
 * History and storage keep these instead of bitmaps: a stroke costs kilobytes, an empty tile four bytes.
 */

export type Runs = Uint32Array;

export function encode(pixels: Uint8Array): Runs {
  const runs: number[] = [];
  let value = 0;
  let start = 0;
  while (start < pixels.length) {
    // indexOf is native code: long runs, which are most of a mask, cost next to nothing.
    const found = pixels.indexOf(1 - value, start);
    const end = found < 0 ? pixels.length : found;
    runs.push(end - start);
    start = end;
    value = 1 - value;
  }
  return Uint32Array.from(runs);
}

export function decode(runs: Runs, length: number): Uint8Array {
  const pixels = new Uint8Array(length);
  let at = 0;
  runs.forEach((run, index) => {
    if (index % 2 === 1) pixels.fill(1, at, at + run);
    at += run;
  });
  return pixels;
}

/** How many pixels are missing. */
export function count(runs: Runs): number {
  let sum = 0;
  for (let index = 1; index < runs.length; index += 2) sum += runs[index]!;
  return sum;
}

export function same(a: Runs, b: Runs): boolean {
  return a.length === b.length && a.every((run, index) => run === b[index]);
}
