/** Draws a mask as a flat colour with an outline; only tiles that changed are reduced anew. */

import { type Box, intersect, isEmpty } from "../core/geometry";
import { TILE, type TiledMask } from "../core/mask";
import type { View } from "../core/view";
import { levelFor } from "./levels";
import { onScreen } from "./picture";

interface Painted {
  /** All that decides what the canvas shows. */
  readonly look: string;
  readonly canvas: OffscreenCanvas;
}

/** The coarsest level: a tile of 16 × 16. */
const LEVELS = 5;
/** From here on pixels are squares, and an outline would be as thick as they are. */
const SQUARES = 4;
/** How much of the picture the tint hides, and how much its outline, 0 … 255. */
const INSIDE = 128;
const EDGE = 235;

export class TintLayer {
  private painted = new Map<number, Painted>();
  private mask: TiledMask | undefined;

  draw(
    context: CanvasRenderingContext2D,
    mask: TiledMask,
    colour: string,
    view: View,
    ratio: number,
    screen: Box,
  ): void {
    if (mask !== this.mask) this.painted = new Map();
    this.mask = mask;
    const scale = view.scale * ratio;
    // One level coarser than the picture: an outline of one to two pixels, and a quarter of the work.
    const level = levelFor(scale / 2, LEVELS);
    const outlined = scale < SQUARES;
    context.imageSmoothingEnabled = outlined;
    for (let key = 0; key < mask.columns * mask.rows; key++) {
      const pixels = mask.tile(key);
      if (!pixels) continue;
      const left = (key % mask.columns) * TILE;
      const top = Math.floor(key / mask.columns) * TILE;
      const to = onScreen({ left, top, right: left + TILE, bottom: top + TILE }, view, ratio);
      if (isEmpty(intersect(to, screen))) continue;
      const look = `${mask.versions[key]} ${level} ${outlined} ${colour}`;
      const canvas = this.tile(key, pixels, look, level, outlined, colour);
      context.drawImage(canvas, to.left, to.top, to.right - to.left, to.bottom - to.top);
    }
  }

  private tile(
    key: number,
    pixels: Uint8Array,
    look: string,
    level: number,
    outlined: boolean,
    colour: string,
  ): OffscreenCanvas {
    const known = this.painted.get(key);
    if (known?.look === look) return known.canvas;
    const side = TILE >> level;
    const canvas = known?.canvas.width === side ? known.canvas : new OffscreenCanvas(side, side);
    const image = new ImageData(side, side);
    const words = new Uint32Array(image.data.buffer);
    reduce(pixels, level, words);
    paint(words, side, colour, outlined);
    // Read by the processor each time it changes: there is no sense in keeping it with the graphics card.
    canvas.getContext("2d", { willReadFrequently: true })!.putImageData(image, 0, 0);
    this.painted.set(key, { look, canvas });
    return canvas;
  }
}

/** Colour what is set, and white where it ends: a red mask must be seen on a red car, too. */
export function paint(words: Uint32Array, side: number, colour: string, outlined: boolean): void {
  const rgb = Number.parseInt(colour.slice(1), 16);
  // Little-endian, as in every browser: alpha, blue, green, red.
  const inside = ((INSIDE << 24) | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
  const edge = ((EDGE << 24) | 0xffffff) >>> 0;
  const last = side - 1;
  for (let y = 0; y < side; y++) {
    const row = y * side;
    for (let x = 0; x < side; x++) {
      const at = row + x;
      if (!words[at]) continue;
      // What lies beyond the tile counts as set: tiles are not outlined, shapes are.
      const ends =
        outlined &&
        ((x > 0 && !words[at - 1]) ||
          (x < last && !words[at + 1]) ||
          (y > 0 && !words[at - side]) ||
          (y < last && !words[at + side]));
      words[at] = ends ? edge : inside;
    }
  }
}

/** A reduced pixel is set if any of its pixels is: a hairline stays in sight however far one is away. */
export function reduce(pixels: Uint8Array, level: number, into: Uint32Array): void {
  const side = TILE >> level;
  let start = pixels.indexOf(1);
  while (start >= 0) {
    const found = pixels.indexOf(0, start);
    const end = found < 0 ? pixels.length : found;
    // A run may go on over the ends of rows; each row's part is one line of the reduced tile.
    while (start < end) {
      const stop = Math.min(end, (Math.floor(start / TILE) + 1) * TILE);
      const row = (Math.floor(start / TILE) >> level) * side;
      const column = start % TILE;
      into.fill(0xffffffff, row + (column >> level), row + ((column + stop - start - 1) >> level) + 1);
      start = stop;
    }
    start = pixels.indexOf(1, end);
  }
}
