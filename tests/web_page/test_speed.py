"""A photo of 24 megapixels: what is done for every movement of the pointer takes less than 8 ms."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

BUDGET = 8.0
"""Milliseconds."""

# Dispatching is synchronous: the time that it takes is the time that the page's handlers take.
MOVES = """
([from, to, count]) => {
  const stage = document.querySelector(".stage");
  const times = [];
  for (let i = 0; i < count; i++) {
    const t = i / (count - 1);
    const at = {clientX: from[0] + t * (to[0] - from[0]), clientY: from[1] + t * (to[1] - from[1]) + 40 * Math.sin(9 * t)};
    const event = new PointerEvent("pointermove", {...at, pointerId: 1, pointerType: "mouse", buttons: 1, bubbles: true});
    const began = performance.now();
    stage.dispatchEvent(event);
    times.push(performance.now() - began);
  }
  return times;
}
"""

# What is drawn follows in the next frame; it is timed by wrapping the callback.
FRAMES = """
const ask = window.requestAnimationFrame.bind(window);
window.frames_ = [];
window.requestAnimationFrame = (act) => ask((now) => {
  const began = performance.now();
  act(now);
  window.frames_.push(performance.now() - began);
});
"""


def test_brush_and_pan_at_24_megapixels(page: Any, huge: Path, record_property: Any) -> None:
    page.context.add_init_script(FRAMES)
    page.open(huge)
    page.shows(3000, 2000, lambda colour: colour[3] == 255)
    start, end = page.at(300, 2000), page.at(5700, 2000)
    for tool in ("b", "h"):
        page.page.keyboard.press(tool)
        for _ in range(6 if tool == "b" else 0):
            page.page.keyboard.press("]")
        page.page.mouse.move(*start)
        page.page.mouse.down()
        page.page.evaluate("() => { window.frames_.length = 0; }")
        times = []
        for _ in range(4):
            times += page.page.evaluate(MOVES, [start, end, 50])
            start, end = end, start
        page.page.wait_for_timeout(50)
        page.page.mouse.up()
        times.sort()
        name = {"b": "brush", "h": "pan"}[tool]
        record_property(
            f"{name} handler, ms", f"median {statistics.median(times):.2f}, worst {times[-1]:.2f}"
        )
        frames = page.page.evaluate("() => window.frames_")
        record_property(
            f"{name} frame, ms", f"median {statistics.median(frames):.2f}, worst {max(frames):.2f}"
        )
        # The slowest calls of two hundred are the machine's: another process has the processor.
        assert times[int(0.95 * len(times))] < BUDGET
    assert page.marked > 500_000
    page.page.keyboard.press("Control+z")
    page.wait_marked(lambda count: count == 0)
