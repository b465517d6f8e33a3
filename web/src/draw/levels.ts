/** Which tiles of the server's pyramid show a part of the picture. Level n is the picture reduced by 2ⁿ. */

import type { Box, Size } from "../core/geometry";
import type { Version, WireBox } from "../net/types";

/** The coarsest level that still has a pixel for each of the screen's. */
export function levelFor(devicePixelsPerPixel: number, levels: number): number {
  const level = Math.floor(Math.log2(1 / devicePixelsPerPixel) + 1e-9);
  return Math.max(0, Math.min(levels - 1, level));
}

export interface TileAt {
  readonly level: number;
  readonly x: number;
  readonly y: number;
}

/** The tiles of a level that meet a box of the picture. */
export function tilesIn(box: Box, level: number, picture: Size, tile: number): TileAt[] {
  const side = tile * 2 ** level;
  const found: TileAt[] = [];
  const right = Math.min(box.right, picture.width);
  const bottom = Math.min(box.bottom, picture.height);
  for (let y = Math.max(0, Math.floor(box.top / side)); y * side < bottom; y++) {
    for (let x = Math.max(0, Math.floor(box.left / side)); x * side < right; x++) found.push({ level, x, y });
  }
  return found;
}

/** What a tile covers, in pixels of the picture. */
export function areaOf({ level, x, y }: TileAt, picture: Size, tile: number): Box {
  const side = tile * 2 ** level;
  return {
    left: x * side,
    top: y * side,
    right: Math.min((x + 1) * side, picture.width),
    bottom: Math.min((y + 1) * side, picture.height),
  };
}

/**
 * The oldest version that has the very same tile: a fill changes a few tiles, the others need not be fetched again.
 */
export function ownerOf(at: TileAt, version: Version, versions: Readonly<Record<string, Version>>): Version {
  let owner = version;
  for (;;) {
    const parent = owner.parent === null ? undefined : versions[owner.parent];
    if (!parent || !owner.box || meets(areaOf(at, owner, owner.tile), owner.box)) return owner;
    owner = parent;
  }
}

function meets(area: Box, [left, top, width, height]: WireBox): boolean {
  return left < area.right && left + width > area.left && top < area.bottom && top + height > area.top;
}
