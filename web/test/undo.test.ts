import { describe, expect, it } from "vitest";
import { UndoStack } from "../src/core/undo";

function counter() {
  const state = { value: 0, shown: 0 };
  const stack = new UndoStack(() => {
    state.shown++;
  });
  const add = (by: number, step?: string) => {
    state.value += by;
    stack.push({
      label: `add ${by}`,
      ...(step ? { step } : {}),
      undo: () => {
        state.value -= by;
      },
      redo: () => {
        state.value += by;
      },
    });
  };
  return { state, stack, add };
}

describe("undo and redo", () => {
  it("go back and forth through ten thousand changes", async () => {
    const { state, stack, add } = counter();
    for (let i = 1; i <= 10_000; i++) add(i);
    const total = state.value;
    for (let i = 0; i < 10_000; i++) await stack.undo();
    expect(state.value).toBe(0);
    expect(await stack.undo()).toBeUndefined();
    for (let i = 0; i < 10_000; i++) await stack.redo();
    expect(state.value).toBe(total);
    expect(stack.redoLabel).toBeUndefined();
  });

  it("a new change ends what could be redone", async () => {
    const { state, stack, add } = counter();
    add(1);
    add(2);
    await stack.undo();
    add(5);
    expect(await stack.redo()).toBeUndefined();
    expect(state.value).toBe(6);
    expect(stack.undoLabel).toBe("add 5");
  });

  it("a change that cannot be undone stays where it is", async () => {
    const { stack } = counter();
    stack.push({
      label: "broken",
      undo: () => Promise.reject(new Error("refused")),
      redo: () => undefined,
    });
    await expect(stack.undo()).rejects.toThrow("refused");
    expect(stack.undoLabel).toBe("broken");
    expect(stack.redoLabel).toBeUndefined();
  });

  it("moves one change at a time", async () => {
    const { state, stack, add } = counter();
    add(1);
    let release = () => {};
    stack.push({
      label: "slow",
      undo: () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
      redo: () => undefined,
    });
    const slow = stack.undo();
    expect(await stack.undo()).toBeUndefined();
    release();
    await slow;
    expect(state.value).toBe(1);
  });

  it("forgets the changes of a step that is gone", async () => {
    const { stack, add } = counter();
    add(1);
    add(2, "s1");
    add(3, "s2");
    await stack.undo();
    stack.forget("s1");
    stack.forget("s2");
    expect(stack.undoLabel).toBe("add 1");
    expect(stack.redoLabel).toBeUndefined();
  });
});
