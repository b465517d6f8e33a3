import { describe, expect, it } from "vitest";
import { TILE, TiledMask } from "../src/core/mask";
import { clear, grow, invert, shrink } from "../src/core/morph";
import { polygon, rectangle, stroke } from "../src/core/shapes";

/** Every pixel of a small mask, row by row. */
function rows(mask: TiledMask): string[] {
  return Array.from({ length: mask.height }, (_, y) =>
    Array.from({ length: mask.width }, (_, x) => (mask.get(x, y) ? "#" : ".")).join(""),
  );
}

function drawn(width: number, height: number, lines: readonly string[]): TiledMask {
  const mask = new TiledMask(width, height);
  mask.begin();
  lines.forEach((line, y) => {
    [...line].forEach((sign, x) => {
      if (sign === "#") mask.span(y, x, x + 1, 1);
    });
  });
  mask.commit();
  return mask;
}

function edit(mask: TiledMask, act: (mask: TiledMask) => void) {
  mask.begin();
  act(mask);
  return mask.commit();
}

describe("a tiled mask", () => {
  it("cuts off what lies outside the picture", () => {
    const mask = new TiledMask(5, 2);
    edit(mask, () => {
      mask.span(-1, 0, 5, 1);
      mask.span(0, -3, 2, 1);
      mask.span(1, 3, 99, 1);
      mask.span(2, 0, 5, 1);
    });
    expect(rows(mask)).toEqual(["##...", "...##"]);
    expect(mask.missing).toBe(4);
  });

  it("paints across the borders of tiles and reads the run back as one", () => {
    const mask = new TiledMask(3 * TILE, TILE + 1);
    edit(mask, () => {
      mask.span(TILE, TILE - 2, 2 * TILE + 3, 1);
      mask.span(TILE, 2 * TILE + 10, 2 * TILE + 11, 1);
    });
    expect(mask.runsOfRow(TILE)).toEqual([TILE - 2, 2 * TILE + 3, 2 * TILE + 10, 2 * TILE + 11]);
    expect(mask.runsOfRow(TILE - 1)).toEqual([]);
    expect(mask.bounds()).toEqual({ left: TILE - 2, top: TILE, right: 2 * TILE + 11, bottom: TILE + 1 });
  });

  it("keeps no tile without a missing pixel", () => {
    const mask = new TiledMask(600, 600);
    edit(mask, () => mask.span(300, 300, 310, 1));
    expect(mask.snapshot().size).toBe(1);
    edit(mask, clear);
    expect(mask.snapshot().size).toBe(0);
    expect(mask.empty).toBe(true);
  });

  it("undoes and redoes an edit exactly, and does not count one that changes nothing", () => {
    const mask = drawn(6, 3, ["#.....", "......", "....##"]);
    const before = rows(mask);
    const change = edit(mask, () => mask.span(0, 0, 4, 1));
    const after = rows(mask);
    mask.undo(change);
    expect(rows(mask)).toEqual(before);
    expect(mask.missing).toBe(3);
    mask.redo(change);
    expect(rows(mask)).toEqual(after);
    expect(mask.missing).toBe(6);
    expect(edit(mask, () => mask.span(0, 0, 4, 1)).size).toBe(0);
  });

  it("rolls an unfinished edit back", () => {
    const mask = drawn(4, 1, ["#..#"]);
    mask.begin();
    mask.span(0, 0, 4, 1);
    mask.rollback();
    expect(rows(mask)).toEqual(["#..#"]);
    expect(mask.missing).toBe(2);
  });

  it("refuses to paint outside of an edit", () => {
    expect(() => new TiledMask(4, 4).span(0, 0, 1, 1)).toThrow(/edit/);
  });

  it("restores a snapshot in place of what is there", () => {
    const mask = drawn(5, 1, ["##..."]);
    const stored = mask.snapshot();
    const other = drawn(5, 1, ["...##"]);
    const change = other.restore(stored);
    expect(rows(other)).toEqual(["##..."]);
    other.undo(change);
    expect(rows(other)).toEqual(["...##"]);
  });

  it("remembers a stroke in far less than a bitmap", () => {
    const mask = new TiledMask(6000, 4000);
    const change = edit(mask, () =>
      stroke({ x: 1000, y: 1000 }, { x: 3000, y: 1500 }, 60, (y, left, right) =>
        mask.span(y, left, right, 1),
      ),
    );
    const bytes = [...change.values()].reduce(
      (sum, { before, after }) => sum + before.byteLength + after.byteLength,
      0,
    );
    expect(change.size).toBeGreaterThan(10);
    expect(bytes).toBeLessThan(50_000);
  });
});

describe("strokes", () => {
  const painted = (mask: TiledMask) => (y: number, left: number, right: number) =>
    mask.span(y, left, right, 1);

  it("hold every pixel whose centre is within the radius, and no other", () => {
    for (const [p, q, radius] of [
      [{ x: 10.3, y: 11.7 }, { x: 30.2, y: 22.1 }, 6.4],
      [{ x: 20, y: 5 }, { x: 20, y: 30 }, 3],
      [{ x: 5, y: 20 }, { x: 33, y: 20 }, 4.5],
      [{ x: 18.5, y: 18.5 }, { x: 18.5, y: 18.5 }, 9],
    ] as const) {
      const mask = new TiledMask(40, 40);
      edit(mask, () => stroke(p, q, radius, painted(mask)));
      for (let y = 0; y < 40; y++) {
        for (let x = 0; x < 40; x++) {
          const [dx, dy] = [q.x - p.x, q.y - p.y];
          const along = ((x + 0.5 - p.x) * dx + (y + 0.5 - p.y) * dy) / (dx * dx + dy * dy || 1);
          const t = Math.max(0, Math.min(1, along));
          const away = Math.hypot(x + 0.5 - p.x - t * dx, y + 0.5 - p.y - t * dy);
          // On the very edge rounding may decide.
          if (Math.abs(away - radius) > 1e-9)
            expect([x, y, mask.get(x, y)]).toEqual([x, y, away < radius ? 1 : 0]);
        }
      }
    }
  });

  it("never leave a dot without a pixel", () => {
    const mask = new TiledMask(9, 9);
    edit(mask, () => stroke({ x: 4, y: 4 }, { x: 4, y: 4 }, 0.1, painted(mask)));
    expect(mask.missing).toBeGreaterThan(0);
  });
});

describe("outlines", () => {
  it("take the pixels whose centres they hold", () => {
    const mask = new TiledMask(6, 4);
    edit(mask, () =>
      rectangle({ left: 0.6, top: 1, right: 3.4, bottom: 2.6 }, (y, left, right) =>
        mask.span(y, left, right, 1),
      ),
    );
    expect(rows(mask)).toEqual(["......", ".##...", ".##...", "......"]);
  });

  it("hold all that a lasso winds around, also where it crosses itself", () => {
    const mask = new TiledMask(12, 12);
    // A pentagram drawn in one go: even-odd would leave its middle out.
    const star = [0, 2, 4, 1, 3].map((corner) => ({
      x: 6 + 5.5 * Math.sin((corner * 2 * Math.PI) / 5),
      y: 6 - 5.5 * Math.cos((corner * 2 * Math.PI) / 5),
    }));
    edit(mask, () => polygon(star, 12, (y, left, right) => mask.span(y, left, right, 1)));
    expect(mask.get(6, 6)).toBe(1);
    expect(mask.get(6, 3)).toBe(1);
    expect(mask.get(0, 0)).toBe(0);
  });

  it("may lie partly outside the picture", () => {
    const mask = new TiledMask(4, 4);
    const corners = [
      { x: -5, y: -5 },
      { x: 2, y: -5 },
      { x: 2, y: 9 },
      { x: -5, y: 9 },
    ];
    edit(mask, () => polygon(corners, 4, (y, left, right) => mask.span(y, left, right, 1)));
    expect(rows(mask)).toEqual(["##..", "##..", "##..", "##.."]);
  });
});

describe("grow, shrink and invert", () => {
  it("grow by a disc", () => {
    const mask = drawn(7, 7, ["", "", "", "...#"]);
    edit(mask, () => grow(mask, 2));
    expect(rows(mask)).toEqual([".......", "...#...", "..###..", ".#####.", "..###..", "...#...", "......."]);
  });

  it("agree with the distance to every pixel, across tiles", () => {
    const side = TILE + 40;
    const mask = new TiledMask(side, 50);
    const seeds = [
      [TILE - 3, 10],
      [TILE + 20, 44],
      [5, 5],
    ] as const;
    edit(mask, () => {
      for (const [x, y] of seeds) mask.span(y, x, x + 1, 1);
    });
    edit(mask, () => grow(mask, 9));
    for (let y = 0; y < 50; y++) {
      for (let x = 0; x < side; x++) {
        const near = seeds.some(([a, b]) => (x - a) ** 2 + (y - b) ** 2 <= 81);
        expect(mask.get(x, y)).toBe(near ? 1 : 0);
      }
    }
  });

  it("shrink by what grew, and the picture's edge does not bite", () => {
    const mask = drawn(9, 5, ["####.....", "####.....", "####.....", "####.....", "####....."]);
    edit(mask, () => shrink(mask, 1));
    expect(rows(mask)).toEqual(Array.from({ length: 5 }, () => "###......"));
  });

  it("invert twice is nothing", () => {
    const mask = drawn(5, 3, ["##...", ".....", "..#.."]);
    const before = rows(mask);
    edit(mask, invert);
    expect(mask.missing).toBe(12);
    edit(mask, invert);
    expect(rows(mask)).toEqual(before);
  });
});
