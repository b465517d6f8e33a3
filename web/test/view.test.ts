import { describe, expect, it } from "vitest";
import { fitted, held, MAX_SCALE, pan, pinch, toPicture, toScreen, zoom } from "../src/core/view";

const photo = { width: 6000, height: 4000 };
const screen = { width: 1280, height: 800 };

describe("the view", () => {
  it("fits the whole picture into the middle", () => {
    const view = fitted(photo, screen, 40);
    expect(view.scale).toBeCloseTo(720 / 4000);
    expect(toScreen(view, { x: 3000, y: 2000 })).toEqual({ x: 640, y: 400 });
    expect(toScreen(view, { x: 0, y: 0 }).y).toBeCloseTo(40);
  });

  it("does not enlarge a small picture to fit", () => {
    expect(fitted({ width: 20, height: 10 }, screen, 40).scale).toBe(1);
  });

  it("keeps what lies under the pointer where it is", () => {
    const view = fitted(photo, screen, 0);
    const anchor = { x: 333, y: 222 };
    const before = toPicture(view, anchor);
    const after = toPicture(zoom(view, 3.7, anchor, 0.01), anchor);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });

  it("stops at both ends", () => {
    const view = fitted(photo, screen, 0);
    expect(zoom(view, 1e9, { x: 0, y: 0 }, 0.05).scale).toBe(MAX_SCALE);
    expect(zoom(view, 1e-9, { x: 0, y: 0 }, 0.05).scale).toBe(0.05);
  });

  it("follows two fingers", () => {
    const view = { scale: 0.5, x: 10, y: 20 };
    const from = [
      { x: 100, y: 100 },
      { x: 300, y: 100 },
    ] as const;
    const to = [
      { x: 150, y: 250 },
      { x: 450, y: 250 },
    ] as const;
    const after = pinch(view, from, to, 0.01);
    expect(after.scale).toBeCloseTo(0.75);
    // The pixel between the fingers stays between them.
    const middle = toPicture(view, { x: 200, y: 100 });
    expect(toScreen(after, middle).x).toBeCloseTo(300);
    expect(toScreen(after, middle).y).toBeCloseTo(250);
  });

  it("never loses the picture", () => {
    const view = fitted(photo, screen, 0);
    for (const far of [
      held(pan(view, 1e6, 1e6), photo, screen),
      held(pan(view, -1e6, -1e6), photo, screen),
    ]) {
      const a = toScreen(far, { x: 0, y: 0 });
      const b = toScreen(far, { x: photo.width, y: photo.height });
      expect(a.x).toBeLessThan(screen.width);
      expect(a.y).toBeLessThan(screen.height);
      expect(b.x).toBeGreaterThan(0);
      expect(b.y).toBeGreaterThan(0);
    }
  });
});
