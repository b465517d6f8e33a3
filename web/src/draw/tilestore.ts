/** Tiles that were fetched, the least recently used given up first; at most a few requests at a time. */

/** 512 × 512 tiles of four bytes: 320 MB, enough for two screens of 4K at once. */
const MOST_TILES = 320;
const MOST_REQUESTS = 8;

export class TileStore {
  private readonly tiles = new Map<string, ImageBitmap>();
  private readonly running = new Map<string, AbortController>();
  private readonly failed = new Map<string, number>();
  private wanted = new Set<string>();

  constructor(private readonly arrived: () => void) {}

  /** The tile, if it is here; does not ask for it. */
  peek(url: string): ImageBitmap | undefined {
    return this.tiles.get(url);
  }

  /** The tile, if it is here; otherwise it is asked for when the frame ends. */
  get(url: string): ImageBitmap | undefined {
    const tile = this.tiles.get(url);
    if (tile) {
      // Put at the end: a Map keeps the order of insertion.
      this.tiles.delete(url);
      this.tiles.set(url, tile);
    } else this.wanted.add(url);
    return tile;
  }

  beginFrame(): void {
    this.wanted = new Set();
  }

  /** Stop what is out of sight and ask for what is in sight, in the order of `get`. */
  endFrame(): void {
    for (const [url, controller] of this.running) {
      if (!this.wanted.has(url)) controller.abort();
    }
    for (const url of this.wanted) {
      if (this.running.size >= MOST_REQUESTS) break;
      if (!this.running.has(url) && !this.rests(url)) void this.load(url);
    }
  }

  get waiting(): number {
    return this.wanted.size;
  }

  /** A tile that failed is left alone for two seconds: a broken server is not asked sixty times a second. */
  private rests(url: string): boolean {
    const since = this.failed.get(url);
    return since !== undefined && performance.now() - since < 2000;
  }

  private async load(url: string): Promise<void> {
    const controller = new AbortController();
    this.running.set(url, controller);
    try {
      const response = await fetch(url, { signal: controller.signal });
      if (!response.ok) throw new Error(String(response.status));
      // Decoded off the main thread; the colours are sRGB already and must not be converted again.
      const tile = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
      this.tiles.set(url, tile);
      this.failed.delete(url);
      this.trim();
    } catch {
      if (!controller.signal.aborted) {
        this.failed.set(url, performance.now());
        setTimeout(this.arrived, 2100);
      }
    } finally {
      this.running.delete(url);
      this.arrived();
    }
  }

  private trim(): void {
    for (const [url, tile] of this.tiles) {
      if (this.tiles.size <= MOST_TILES) return;
      tile.close();
      this.tiles.delete(url);
    }
  }
}
