/**
 * A mask of the picture's full size, in tiles. 1 is missing (in the hole), 0 is known. Tiles without a missing pixel do
 * not exist, so a mask of a 24 megapixel photo takes the memory of what is painted.
 *
 * Changes happen in edits: `begin`, any number of `span`s, `commit`, which returns what changed for undo.
 */

import type { Box, Size } from "./geometry";
import { count, decode, encode, type Runs, same } from "./runs";

export const TILE = 256;
const SHIFT = 8;
const AREA = TILE * TILE;
const EMPTY: Runs = Uint32Array.of(AREA);

export interface TileChange {
  readonly before: Runs;
  readonly after: Runs;
}

/** What an edit changed, by tile. */
export type Edit = ReadonlyMap<number, TileChange>;

/** The tiles that are not empty, as they are stored. */
export type Snapshot = ReadonlyMap<number, Runs>;

export class TiledMask implements Size {
  readonly columns: number;
  readonly rows: number;
  /** Grows with every change of a tile; whoever draws tiles compares it with what was drawn. */
  readonly versions: Uint32Array;
  /** Number of missing pixels, as of the last commit. */
  missing = 0;
  private readonly tiles: (Uint8Array | undefined)[];
  private touched: Map<number, Uint8Array | undefined> | undefined;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.columns = Math.ceil(width / TILE);
    this.rows = Math.ceil(height / TILE);
    this.tiles = new Array(this.columns * this.rows);
    this.versions = new Uint32Array(this.columns * this.rows);
  }

  get empty(): boolean {
    return this.missing === 0;
  }

  tile(key: number): Uint8Array | undefined {
    return this.tiles[key];
  }

  get(x: number, y: number): number {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return 0;
    const tile = this.tiles[(y >> SHIFT) * this.columns + (x >> SHIFT)];
    return tile?.[((y & (TILE - 1)) << SHIFT) | (x & (TILE - 1))] ?? 0;
  }

  begin(): void {
    this.touched ??= new Map();
  }

  /** Set pixels left … right − 1 of a row; what lies outside the picture is cut off. */
  span(y: number, left: number, right: number, value: 0 | 1): void {
    if (y < 0 || y >= this.height) return;
    const from = Math.max(0, left);
    const to = Math.min(this.width, right);
    const row = (y & (TILE - 1)) << SHIFT;
    const first = (y >> SHIFT) * this.columns;
    for (let x = from; x < to; ) {
      const column = x >> SHIFT;
      const end = Math.min(to, (column + 1) << SHIFT);
      const tile = this.writable(first + column, value);
      const origin = row - (column << SHIFT);
      tile?.fill(value, origin + x, origin + end);
      x = end;
    }
  }

  private writable(key: number, value: 0 | 1): Uint8Array | undefined {
    const touched = this.touched;
    if (!touched) throw new Error("span outside of an edit");
    let tile = this.tiles[key];
    if (!tile && value === 0) return undefined;
    if (!touched.has(key)) {
      touched.set(key, tile?.slice());
      if (!tile) {
        tile = new Uint8Array(AREA);
        this.tiles[key] = tile;
      }
    }
    this.versions[key]!++;
    return tile;
  }

  /** End the edit and return what it changed; an empty map if nothing. */
  commit(): Edit {
    const edit = new Map<number, TileChange>();
    for (const [key, old] of this.touched ?? []) {
      const before = old ? encode(old) : EMPTY;
      const after = encode(this.tiles[key]!);
      if (!same(before, after)) edit.set(key, { before, after });
      this.missing += count(after) - count(before);
      if (count(after) === 0) this.tiles[key] = undefined;
    }
    this.touched = undefined;
    return edit;
  }

  /** Give the edit up: everything is as it was at `begin`. */
  rollback(): void {
    for (const [key, old] of this.touched ?? []) {
      this.tiles[key] = old;
      this.versions[key]!++;
    }
    this.touched = undefined;
  }

  undo(edit: Edit): void {
    for (const [key, change] of edit) this.put(key, change.before);
  }

  redo(edit: Edit): void {
    for (const [key, change] of edit) this.put(key, change.after);
  }

  private put(key: number, runs: Runs): void {
    const old = this.tiles[key];
    const missing = count(runs);
    this.missing += missing - (old ? count(encode(old)) : 0);
    this.tiles[key] = missing ? decode(runs, AREA) : undefined;
    this.versions[key]!++;
  }

  snapshot(): Snapshot {
    const stored = new Map<number, Runs>();
    this.tiles.forEach((tile, key) => {
      if (tile) stored.set(key, encode(tile));
    });
    return stored;
  }

  /** Take a stored mask of the same size, in place of what is there; the edit can be undone. */
  restore(stored: Snapshot): Edit {
    const edit = new Map<number, TileChange>();
    for (let key = 0; key < this.tiles.length; key++) {
      const old = this.tiles[key];
      const after = stored.get(key) ?? EMPTY;
      const before = old ? encode(old) : EMPTY;
      if (!same(before, after)) edit.set(key, { before, after });
    }
    this.redo(edit);
    return edit;
  }

  /** The missing runs of a row, as pairs: first pixel, one past the last. */
  runsOfRow(y: number): number[] {
    const pairs: number[] = [];
    const row = (y & (TILE - 1)) << SHIFT;
    for (let column = 0; column < this.columns; column++) {
      const tile = this.tiles[(y >> SHIFT) * this.columns + column];
      if (!tile) continue;
      const line = tile.subarray(row, row + TILE);
      const origin = column << SHIFT;
      for (let start = line.indexOf(1); start >= 0; ) {
        const found = line.indexOf(0, start);
        const end = found < 0 ? TILE : found;
        // A run that goes on across the border of two tiles is one run.
        if (pairs.at(-1) === origin + start) pairs[pairs.length - 1] = origin + end;
        else pairs.push(origin + start, origin + end);
        start = line.indexOf(1, end);
        if (end === TILE) break;
      }
    }
    return pairs;
  }

  /** The smallest box that holds all missing pixels; undefined if there are none. */
  bounds(): Box | undefined {
    let box: { left: number; top: number; right: number; bottom: number } | undefined;
    for (let y = 0; y < this.height; y++) {
      const pairs = this.runsOfRow(y);
      if (!pairs.length) continue;
      box ??= { left: this.width, top: y, right: 0, bottom: y };
      box.left = Math.min(box.left, pairs[0]!);
      box.right = Math.max(box.right, pairs.at(-1)!);
      box.bottom = y + 1;
    }
    return box;
  }
}
