/** Draws a mask as a flat colour, tile by tile; only tiles that changed are painted anew. */

import { type Box, intersect, isEmpty } from "../core/geometry";
import { TILE, type TiledMask } from "../core/mask";
import type { View } from "../core/view";
import { levelFor } from "./levels";
import { onScreen } from "./picture";

interface Painted {
  readonly version: number;
  readonly level: number;
  readonly canvas: OffscreenCanvas;
}

/** The smallest side to which a tile of a mask is reduced. */
const LEAST_LEVELS = 5;

export class TintLayer {
  private painted = new Map<number, Painted>();
  private mask: TiledMask | undefined;
  private colour = "";

  draw(
    context: CanvasRenderingContext2D,
    mask: TiledMask,
    colour: string,
    view: View,
    ratio: number,
    screen: Box,
  ): void {
    if (mask !== this.mask || colour !== this.colour) {
      this.painted = new Map();
      this.mask = mask;
      this.colour = colour;
    }
    const level = levelFor(view.scale * ratio, LEAST_LEVELS);
    context.imageSmoothingEnabled = view.scale * ratio < 2;
    for (let key = 0; key < mask.columns * mask.rows; key++) {
      const pixels = mask.tile(key);
      if (!pixels) continue;
      const left = (key % mask.columns) * TILE;
      const top = Math.floor(key / mask.columns) * TILE;
      const to = onScreen({ left, top, right: left + TILE, bottom: top + TILE }, view, ratio);
      if (isEmpty(intersect(to, screen))) continue;
      const canvas = this.tile(key, pixels, mask.versions[key]!, level);
      context.drawImage(canvas, to.left, to.top, to.right - to.left, to.bottom - to.top);
    }
  }

  private tile(key: number, pixels: Uint8Array, version: number, level: number): OffscreenCanvas {
    const known = this.painted.get(key);
    if (known && known.version === version && known.level === level) return known.canvas;
    const side = TILE >> level;
    const canvas = known?.level === level ? known.canvas : new OffscreenCanvas(side, side);
    const context = canvas.getContext("2d")!;
    const image = new ImageData(side, side);
    reduce(pixels, level, new Uint32Array(image.data.buffer));
    context.globalCompositeOperation = "copy";
    context.putImageData(image, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = this.colour;
    context.fillRect(0, 0, side, side);
    this.painted.set(key, { version, level, canvas });
    return canvas;
  }
}

/** A reduced pixel is set if any of its pixels is: a hairline stays in sight however far one is away. */
export function reduce(pixels: Uint8Array, level: number, into: Uint32Array): void {
  const side = TILE >> level;
  for (let start = pixels.indexOf(1); start >= 0; ) {
    const found = pixels.indexOf(0, start);
    // A run ends with its row at the latest, so that it can be drawn as one line.
    const end = Math.min(found < 0 ? pixels.length : found, (Math.floor(start / TILE) + 1) * TILE);
    const row = (Math.floor(start / TILE) >> level) * side;
    const column = start % TILE;
    into.fill(0xffffffff, row + (column >> level), row + ((column + end - start - 1) >> level) + 1);
    start = end >= pixels.length ? -1 : pixels[end] === 1 ? end : pixels.indexOf(1, end);
  }
}
