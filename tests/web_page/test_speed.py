"""A photo of 24 megapixels: what is done for every movement of the pointer takes less than 8 ms."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

BUDGET = 8.0
"""Milliseconds."""

# Dispatching is synchronous: the time that it takes is the time that the page's handlers take.
MOVES = """
async ([from, to, count]) => {
  const stage = document.querySelector(".stage");
  const times = [];
  for (let i = 0; i < count; i++) {
    const t = i / (count - 1);
    const clientX = from[0] + t * (to[0] - from[0]);
    const clientY = from[1] + t * (to[1] - from[1]) + 40 * Math.sin(9 * t);
    const mouse = {pointerId: 1, pointerType: "mouse", buttons: 1, bubbles: true};
    const event = new PointerEvent("pointermove", {...mouse, clientX, clientY});
    const began = performance.now();
    stage.dispatchEvent(event);
    times.push(performance.now() - began);
    if (i % 5 === 4) await new Promise(requestAnimationFrame);
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


def test_brush_and_pan_at_24_megapixels(page: Any, huge: Path) -> None:
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
        passes = []
        for there_and_back in range(4):
            ends = (start, end) if there_and_back % 2 == 0 else (end, start)
            passes.append(page.page.evaluate(MOVES, [*ends, 50]))
        page.page.wait_for_timeout(100)
        page.page.mouse.up()
        times = sorted(time for each in passes for time in each)
        frames = sorted(page.page.evaluate("() => window.frames_"))
        name = {"b": "brush", "h": "pan"}[tool]
        for what, all_times in (("handler", times), ("frame", frames)):
            middle, late = statistics.median(all_times), all_times[int(0.95 * len(all_times))]
            sys.stdout.write(
                f"{name} {what}: median {middle:.2f} ms, 95 % below {late:.2f} ms\n"
            )  # pytest -rP
        assert statistics.median(times) < BUDGET
        # Other processes have the processor in between: what one pass of four took counts.
        assert max(map(min, zip(*passes, strict=True))) < BUDGET
    assert page.marked > 500_000
    page.page.keyboard.press("Control+z")
    page.wait_marked(lambda count: count == 0)
