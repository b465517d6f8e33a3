/** Draws a mask as a flat colour with an outline; only tiles that changed are reduced anew. */

import { type Box, grown, intersect, isEmpty, union } from "../core/geometry";
import { TILE, type TiledMask } from "../core/mask";
import type { View } from "../core/view";
import { levelFor } from "./levels";
import { onScreen } from "./picture";

interface OnceReduced {
  readonly version: number;
  readonly level: number;
  readonly canvas: OffscreenCanvas;
}

/** The smallest side to which a tile of a mask is reduced. */
const LEAST_LEVELS = 5;

/** How much of the picture the tint hides. */
const OPACITY = 0.5;

export class TintLayer {
  private painted = new Map<number, OnceReduced>();
  private mask: TiledMask | undefined;
  private readonly flat = new OffscreenCanvas(1, 1);
  private readonly line = new OffscreenCanvas(1, 1);

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
    const drawn = this.collect(mask, view, ratio, screen);
    if (isEmpty(drawn)) return;
    const { left, top } = drawn;
    const [width, height] = [drawn.right - left, drawn.bottom - top];
    const pen = this.flat.getContext("2d")!;
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = colour;
    pen.fillRect(left, top, width, height);
    this.outline(left, top, width, height, Math.max(1, Math.round(ratio)));
    context.globalAlpha = OPACITY;
    context.drawImage(this.flat, left, top, width, height, left, top, width, height);
    context.globalAlpha = 1;
    context.drawImage(this.line, left, top, width, height, left, top, width, height);
  }

  /** The tiles in sight as a stencil; returns what they cover. */
  private collect(mask: TiledMask, view: View, ratio: number, screen: Box): Box {
    const [width, height] = [screen.right, screen.bottom];
    for (const canvas of [this.flat, this.line]) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
    }
    const pen = this.flat.getContext("2d")!;
    pen.globalCompositeOperation = "source-over";
    pen.clearRect(0, 0, width, height);
    pen.imageSmoothingEnabled = view.scale * ratio < 2;
    const level = levelFor(view.scale * ratio, LEAST_LEVELS);
    let drawn: Box = { left: Infinity, top: Infinity, right: 0, bottom: 0 };
    for (let key = 0; key < mask.columns * mask.rows; key++) {
      const pixels = mask.tile(key);
      if (!pixels) continue;
      const left = (key % mask.columns) * TILE;
      const top = Math.floor(key / mask.columns) * TILE;
      const to = onScreen({ left, top, right: left + TILE, bottom: top + TILE }, view, ratio);
      if (isEmpty(intersect(to, screen))) continue;
      const canvas = this.tile(key, pixels, mask.versions[key]!, level);
      pen.drawImage(canvas, to.left, to.top, to.right - to.left, to.bottom - to.top);
      drawn = union(drawn, to);
    }
    return intersect(grown(drawn, 4), screen);
  }

  /** A white line around the tint: a red mask must be seen on a red car, too. */
  private outline(left: number, top: number, width: number, height: number, thick: number): void {
    const pen = this.line.getContext("2d")!;
    pen.globalCompositeOperation = "source-over";
    pen.clearRect(0, 0, this.line.width, this.line.height);
    for (const [dx, dy] of [
      [thick, 0],
      [-thick, 0],
      [0, thick],
      [0, -thick],
    ] as const) {
      pen.drawImage(this.flat, left, top, width, height, left + dx, top + dy, width, height);
    }
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = "#fff";
    pen.fillRect(left, top, width, height);
    pen.globalCompositeOperation = "destination-out";
    pen.drawImage(this.flat, left, top, width, height, left, top, width, height);
  }

  private tile(key: number, pixels: Uint8Array, version: number, level: number): OffscreenCanvas {
    const known = this.painted.get(key);
    if (known && known.version === version && known.level === level) return known.canvas;
    const side = TILE >> level;
    const canvas = known?.level === level ? known.canvas : new OffscreenCanvas(side, side);
    const image = new ImageData(side, side);
    reduce(pixels, level, new Uint32Array(image.data.buffer));
    canvas.getContext("2d")!.putImageData(image, 0, 0);
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
