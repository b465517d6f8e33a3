import { describe, expect, it } from "vitest";
import { TILE } from "../src/core/mask";
import { areaOf, levelFor, ownerOf, tilesIn } from "../src/draw/levels";
import { reduce } from "../src/draw/tint";
import type { Version, WireBox } from "../src/net/types";

describe("levels of the pyramid", () => {
  it("are never coarser than the screen", () => {
    expect([2, 1, 0.7, 0.5, 0.3, 0.25, 0.1].map((scale) => levelFor(scale, 9))).toEqual([
      0, 0, 0, 1, 1, 2, 3,
    ]);
    expect(levelFor(0.001, 4)).toBe(3);
  });

  it("are asked for the tiles in sight only", () => {
    const box = { left: 500, top: -100, right: 1100, bottom: 300 };
    expect(tilesIn(box, 0, { width: 2000, height: 2000 }, 512)).toEqual([
      { level: 0, x: 0, y: 0 },
      { level: 0, x: 1, y: 0 },
      { level: 0, x: 2, y: 0 },
    ]);
    expect(
      tilesIn({ left: 0, top: 0, right: 9999, bottom: 9999 }, 1, { width: 1025, height: 5 }, 512),
    ).toHaveLength(2);
  });

  it("cover the picture to its edge", () => {
    expect(areaOf({ level: 1, x: 1, y: 0 }, { width: 1500, height: 700 }, 512)).toEqual({
      left: 1024,
      top: 0,
      right: 1500,
      bottom: 700,
    });
  });
});

describe("the owner of a tile", () => {
  const version = (key: string, parent: string | null, box: WireBox | null): Version => ({
    key,
    parent,
    box,
    width: 2000,
    height: 2000,
    levels: 3,
    tile: 512,
    origin: [0, 0],
  });
  const versions = {
    a: version("a", null, null),
    b: version("b", "a", [600, 600, 50, 50]),
    c: version("c", "b", [10, 10, 20, 20]),
    wide: version("wide", "c", null),
  };

  it("is the oldest version that has the very same pixels", () => {
    const owner = (key: keyof typeof versions, x: number, y: number, level = 0) =>
      ownerOf({ level, x, y }, versions[key], versions).key;
    expect(owner("c", 3, 3)).toBe("a");
    expect(owner("c", 1, 1)).toBe("b");
    expect(owner("c", 0, 0)).toBe("c");
    expect(owner("b", 0, 0)).toBe("a");
    // One tile of the coarsest level holds everything.
    expect(owner("c", 0, 0, 2)).toBe("c");
  });

  it("does not reach beyond a new canvas", () => {
    expect(ownerOf({ level: 0, x: 3, y: 3 }, versions.wide, versions).key).toBe("wide");
  });
});

describe("the tint of a mask", () => {
  it("keeps a hairline in sight at every level", () => {
    const pixels = new Uint8Array(TILE * TILE);
    for (let y = 0; y < TILE; y++) pixels[y * TILE + 101] = 1;
    for (const level of [0, 1, 2, 3, 4]) {
      const side = TILE >> level;
      const image = new Uint32Array(side * side);
      reduce(pixels, level, image);
      const set = [...image.keys()].filter((index) => image[index]);
      expect(set).toEqual(Array.from({ length: side }, (_, y) => y * side + (101 >> level)));
    }
  });

  it("keeps runs that go on over the ends of rows apart", () => {
    const pixels = new Uint8Array(TILE * TILE).fill(1);
    pixels[0] = 0;
    pixels[TILE * TILE - 1] = 0;
    const image = new Uint32Array(TILE * TILE);
    reduce(pixels, 0, image);
    expect([...image].map(Boolean)).toEqual([...pixels].map(Boolean));
  });
});
