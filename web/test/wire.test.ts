import { describe, expect, it } from "vitest";
import { TILE, TiledMask } from "../src/core/mask";
import { count, decode, encode } from "../src/core/runs";
import { paintWire, toWire } from "../src/core/wire";

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function noise(width: number, height: number, seed: number): TiledMask {
  const mask = new TiledMask(width, height);
  const next = random(seed);
  mask.begin();
  for (let i = 0; i < 300; i++) {
    const x = Math.floor(next() * width);
    mask.span(Math.floor(next() * height), x, x + Math.ceil(next() * 30), 1);
  }
  mask.commit();
  return mask;
}

describe("run lengths of a tile", () => {
  it("begin with known pixels", () => {
    expect([...encode(Uint8Array.of(0, 0, 1, 1, 1, 0))]).toEqual([2, 3, 1]);
    expect([...encode(Uint8Array.of(1, 0))]).toEqual([0, 1, 1]);
    expect([...encode(new Uint8Array(4))]).toEqual([4]);
  });

  it("come back as they were", () => {
    const next = random(7);
    const pixels = Uint8Array.from({ length: 1000 }, () => (next() < 0.3 ? 1 : 0));
    const runs = encode(pixels);
    expect(decode(runs, 1000)).toEqual(pixels);
    expect(count(runs)).toBe(pixels.reduce((sum, value) => sum + value, 0));
  });
});

describe("masks on the wire", () => {
  it("are runs inside the smallest rectangle", () => {
    const mask = new TiledMask(10, 10);
    mask.begin();
    mask.span(2, 3, 6, 1);
    mask.span(3, 3, 5, 1);
    mask.span(5, 4, 6, 1);
    mask.commit();
    // Rows of three: ###, ##., ..., .##
    expect(toWire(mask)).toEqual({ left: 3, top: 2, width: 3, height: 4, counts: [0, 5, 5, 2] });
  });

  it("of nothing are empty", () => {
    expect(toWire(new TiledMask(10, 10))).toEqual({ left: 0, top: 0, width: 0, height: 0, counts: [] });
  });

  it("come back pixel for pixel, and their runs add up to the rectangle", () => {
    for (const seed of [1, 2, 3]) {
      const mask = noise(TILE + 77, TILE + 31, seed);
      const wire = toWire(mask);
      expect(wire.counts.reduce((sum, run) => sum + run, 0)).toBe(wire.width * wire.height);
      const back = new TiledMask(mask.width, mask.height);
      back.begin();
      paintWire(back, wire);
      back.commit();
      expect(back.snapshot()).toEqual(mask.snapshot());
    }
  });

  it("can be moved, as to a larger canvas", () => {
    const mask = noise(100, 60, 4);
    const moved = new TiledMask(400, 300);
    moved.begin();
    paintWire(moved, toWire(mask), 1, 210, 130);
    moved.commit();
    expect(moved.missing).toBe(mask.missing);
    for (let y = 0; y < 60; y++)
      for (let x = 0; x < 100; x++) expect(moved.get(x + 210, y + 130)).toBe(mask.get(x, y));
  });

  it("can be taken off", () => {
    const mask = noise(100, 60, 5);
    mask.begin();
    paintWire(mask, toWire(mask), 0);
    mask.commit();
    expect(mask.empty).toBe(true);
  });
});
