/** Draws a version of the picture from tiles; what is not here yet is shown coarser or as it was before. */

import { type Box, intersect, isEmpty, type Point, type Size } from "../core/geometry";
import { toPicture, toScreen, type View } from "../core/view";
import { tileUrl } from "../net/api";
import type { Project, Version } from "../net/types";
import { areaOf, levelFor, ownerOf, type TileAt, tilesIn } from "./levels";
import type { TileStore } from "./tilestore";

export interface Shown {
  readonly project: Project;
  readonly version: Version;
  /** Where the version's corner lies on the canvas that the view shows. */
  readonly offset: Point;
}

/** From so many device pixels on a pixel is shown as a square. */
const SQUARES = 4;

export class PictureLayer {
  constructor(private readonly store: TileStore) {}

  /** `clip` in device pixels. */
  draw(context: CanvasRenderingContext2D, shown: Shown, view: View, ratio: number, clip: Box): void {
    const { version, offset } = shown;
    const moved: View = {
      scale: view.scale,
      x: view.x + offset.x * view.scale,
      y: view.y + offset.y * view.scale,
    };
    const level = levelFor(view.scale * ratio, version.levels);
    context.save();
    context.beginPath();
    context.rect(clip.left, clip.top, clip.right - clip.left, clip.bottom - clip.top);
    context.clip();
    context.imageSmoothingEnabled = view.scale * ratio < SQUARES;
    context.imageSmoothingQuality = "medium";
    // The coarsest level is one tile: first in the queue, so that there is something to look at from the start.
    this.find(shown, { level: version.levels - 1, x: 0, y: 0 });
    for (const at of tilesIn(visible(moved, ratio, clip), level, version, version.tile)) {
      this.drawTile(context, shown, at, moved, ratio);
    }
    context.restore();
  }

  private drawTile(
    context: CanvasRenderingContext2D,
    shown: Shown,
    at: TileAt,
    view: View,
    ratio: number,
  ): void {
    const { version } = shown;
    const area = areaOf(at, version, version.tile);
    const exact = this.find(shown, at);
    if (exact) {
      blit(context, exact, whole(exact), area, view, ratio);
      return;
    }
    const before = this.earlier(shown, at);
    if (before) {
      blit(context, before, whole(before), area, view, ratio);
      return;
    }
    for (let level = at.level + 1; level < version.levels; level++) {
      const shift = level - at.level;
      const coarse = { level, x: at.x >> shift, y: at.y >> shift };
      const bitmap = this.store.peek(this.url(shown, coarse));
      if (!bitmap) continue;
      const covers = areaOf(coarse, version, version.tile);
      blit(context, bitmap, part(bitmap, covers, area), area, view, ratio);
      return;
    }
  }

  private find(shown: Shown, at: TileAt): ImageBitmap | undefined {
    return this.store.get(this.url(shown, at));
  }

  /** The same place in a version before this one: better than a blur while a fill's tiles are on their way. */
  private earlier(shown: Shown, at: TileAt): ImageBitmap | undefined {
    let version = shown.version;
    while (version.box && version.parent) {
      const parent = shown.project.versions[version.parent];
      if (!parent) return undefined;
      const bitmap = this.store.peek(this.url({ ...shown, version: parent }, at));
      if (bitmap) return bitmap;
      version = parent;
    }
    return undefined;
  }

  private url({ project, version }: Shown, at: TileAt): string {
    const owner = ownerOf(at, version, project.versions);
    return tileUrl(project.id, owner.key, at.level, at.x, at.y);
  }
}

function visible(view: View, ratio: number, clip: Box): Box {
  const a = toPicture(view, { x: clip.left / ratio, y: clip.top / ratio });
  const b = toPicture(view, { x: clip.right / ratio, y: clip.bottom / ratio });
  return { left: a.x, top: a.y, right: b.x, bottom: b.y };
}

function whole(bitmap: Size): Box {
  return { left: 0, top: 0, right: bitmap.width, bottom: bitmap.height };
}

function part(bitmap: Size, covers: Box, wanted: Box): Box {
  const across = bitmap.width / (covers.right - covers.left);
  const down = bitmap.height / (covers.bottom - covers.top);
  return {
    left: (wanted.left - covers.left) * across,
    top: (wanted.top - covers.top) * down,
    right: (wanted.right - covers.left) * across,
    bottom: (wanted.bottom - covers.top) * down,
  };
}

/** Edges are rounded to device pixels, so that neighbouring tiles meet without a seam. */
export function onScreen(area: Box, view: View, ratio: number): Box {
  const a = toScreen(view, { x: area.left, y: area.top });
  const b = toScreen(view, { x: area.right, y: area.bottom });
  return {
    left: Math.round(a.x * ratio),
    top: Math.round(a.y * ratio),
    right: Math.round(b.x * ratio),
    bottom: Math.round(b.y * ratio),
  };
}

function blit(
  context: CanvasRenderingContext2D,
  bitmap: ImageBitmap,
  from: Box,
  area: Box,
  view: View,
  ratio: number,
): void {
  const to = onScreen(area, view, ratio);
  const canvas = whole(context.canvas);
  if (isEmpty(intersect(to, canvas))) return;
  context.drawImage(
    bitmap,
    from.left,
    from.top,
    from.right - from.left,
    from.bottom - from.top,
    to.left,
    to.top,
    to.right - to.left,
    to.bottom - to.top,
  );
}
