import { describe, expect, it } from "vitest";
import { pair } from "../src/batch/pairing";

const files = (...paths: string[]) => paths.map((path) => ({ path }));

describe("pairs of a folder", () => {
  it("are found by their names", () => {
    const { pairs, alone } = pair(
      files(
        "in/a.jpg",
        "in/a.mask.png",
        "in/b.tif",
        "in/b_mask.png",
        "in/c.webp",
        "in/masks/c.png",
        "in/d.png",
        "in/notes.txt",
      ),
    );
    expect(pairs.map(({ image, mask }) => [image.path, mask.path])).toEqual([
      ["in/a.jpg", "in/a.mask.png"],
      ["in/b.tif", "in/b_mask.png"],
      ["in/c.webp", "in/masks/c.png"],
    ]);
    expect(alone.map(({ path }) => path)).toEqual(["in/d.png"]);
  });

  it("need a picture, not only masks", () => {
    expect(pair(files("a.mask.png", "masks/b.png"))).toEqual({ pairs: [], alone: [] });
  });
});
