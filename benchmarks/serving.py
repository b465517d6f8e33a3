"""How the server of ``lacuna web`` bears many clients at once, and whether it stays as large as it was.

::

    python benchmarks/serving.py                       # 50 clients for a minute, then 1,000 jobs
    python benchmarks/serving.py --seconds 10 --jobs 100

A server is started in its own process with its defaults. Each client sends a small picture (256x256, a hole
of 40x40, method telea) to ``/inpaint`` and waits for the answer, takes the answer of ``/health`` in between,
and comes back after the time that a 429 tells it. Whatever is neither an answer nor a deliberate 429 or 503
is a fault; a job is lost if it was accepted and never ends. Memory is the resident size of the server and of
its workers, in /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from lacuna.evaluate.environment import as_line, describe

SIDE, LEFT, TOP, HOLE = 256, 100, 90, 40
SETTINGS = {"method": "telea"}
MEBI = 1 << 20


@dataclass
class Tally:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    fills: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Start a server, load it, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    how = parser.parse_args()
    print(as_line(describe()))
    with tempfile.TemporaryDirectory(prefix="lacuna-serving-") as folder:
        server, url = start(Path(folder))
        try:
            figures = asyncio.run(measured(url, server.pid, how))
        finally:
            server.terminate()
            server.wait(30)
    if how.output is not None:
        how.output.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a server and wait until it is there."""
    code = "import sys; from lacuna.cli import main; sys.exit(main())"
    server = subprocess.Popen(
        [sys.executable, "-c", code, "web", "--port", "0", "--no-open", "--folder", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if server.stderr is None:
        raise SystemExit("no stderr")
    for line in server.stderr:
        found = re.search(r"http://\S+?:\d+", line)
        if found:
            return server, found[0]
    raise SystemExit("the server did not start")


async def measured(url: str, pid: int, how: argparse.Namespace) -> dict[str, Any]:
    """Return all figures, printed on the way."""
    rng = np.random.default_rng(0)
    picture = encoded(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    known = np.ones((SIDE, SIDE), dtype=bool)
    known[TOP : TOP + HOLE, LEFT : LEFT + HOLE] = False
    limits = httpx.Limits(max_connections=how.clients + 10)
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=120, limits=limits) as http:
        await warm(http, picture)
        tally = Tally()
        until = time.monotonic() + how.seconds
        begun = time.monotonic()
        await asyncio.gather(*(client(http, picture, known, until, tally) for _ in range(how.clients)))
        took = time.monotonic() - begun
        left = await unfinished(http)
        figures = told(tally, took, left, how)
        before = memory(pid)
        sizes = [before]
        for i in range(how.jobs):
            await http.post("/inpaint", files=parts(picture), data=words())
            if (i + 1) % max(how.jobs // 10, 1) == 0:
                sizes.append(memory(pid))
        figures["memory_mib"] = [[round(one / MEBI, 1) for one in size] for size in sizes]
        server = [size[0] / MEBI for size in sizes]
        workers = [sum(size[1:]) / MEBI for size in sizes]
        print(f"memory over {how.jobs} jobs: server {server[0]:.0f} -> {server[-1]:.0f} MiB", end=", ")
        print(
            f"workers {workers[0]:.0f} -> {workers[-1]:.0f} MiB; on the way {[round(one) for one in server]}"
        )
    return figures


async def client(
    http: httpx.AsyncClient, picture: bytes, known: np.ndarray, until: float, tally: Tally
) -> None:
    """Fill and ask until the time is over."""
    while time.monotonic() < until:
        started = time.monotonic()
        try:
            answer = await http.post("/inpaint", files=parts(picture), data=words())
        except httpx.HTTPError as error:
            tally.wrong.append(f"{type(error).__name__}: {error}")
            continue
        tally.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            tally.fills.append(time.monotonic() - started)
            check(answer, picture, known, tally)
        elif answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))
        else:
            tally.wrong.append(f"{answer.status_code}: {answer.text[:200]}")
        started = time.monotonic()
        asked = await http.get("/health")
        tally.asked.append(time.monotonic() - started)
        if asked.status_code != 200:
            tally.wrong.append(f"health {asked.status_code}")


def check(answer: httpx.Response, picture: bytes, known: np.ndarray, tally: Tally) -> None:
    """See in one answer of ten that it is the picture, with all known pixels as they were."""
    if len(tally.fills) % 10:
        return
    after, before = (np.asarray(Image.open(io.BytesIO(data))) for data in (answer.content, picture))
    if after.shape != before.shape or (after != before)[known].any():
        tally.wrong.append("an answer is another picture")


async def warm(http: httpx.AsyncClient, picture: bytes) -> None:
    """Wait for the workers."""
    for _ in range(3):
        (await http.post("/inpaint", files=parts(picture), data=words())).raise_for_status()


async def unfinished(http: httpx.AsyncClient) -> int:
    """Return how many jobs still wait or run although nobody asks any more."""
    for _ in range(50):
        queue = (await http.get("/health")).json()["queue"]
        left: int = sum(lane["waiting"] + lane["running"] for lane in queue.values())
        if not left:
            break
        await asyncio.sleep(0.1)
    return left


def told(tally: Tally, took: float, left: int, how: argparse.Namespace) -> dict[str, Any]:
    """Print and return what the clients saw."""
    p95, asked = quantile(tally.fills), quantile(tally.asked)
    print(f"{how.clients} clients for {took:.0f} s: {dict(sorted(tally.statuses.items()))}")
    print(
        f"fills: {len(tally.fills) / took:.1f} per second, median {statistics.median(tally.fills):.3f} s, ",
        end="",
    )
    print(f"p95 {p95:.3f} s; small requests (/health): p95 {1000 * asked:.0f} ms")
    print(f"jobs lost: {left}; faults: {len(tally.wrong)} {tally.wrong[:3]}")
    return {
        "environment": describe(),
        "clients": how.clients,
        "seconds": took,
        "statuses": dict(tally.statuses),
        "fills_per_second": len(tally.fills) / took,
        "fill_median": statistics.median(tally.fills),
        "fill_p95": p95,
        "health_p95": asked,
        "lost": left,
        "faults": tally.wrong,
    }


def quantile(values: list[float], share: float = 0.95) -> float:
    """Return the value below which so many lie."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def memory(pid: int) -> list[int]:
    """Return the resident bytes of the server and of each of its workers."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        pids += [int(child) for child in task.read_text().split()]
    return [resident(one) for one in pids]


def resident(pid: int) -> int:
    """Return the resident bytes of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def parts(picture: bytes) -> dict[str, Any]:
    """Return the files of a request."""
    return {"image": ("a.png", picture, "image/png")}


def words() -> dict[str, str]:
    """Return the fields of a request."""
    runs = {"left": LEFT, "top": TOP, "width": HOLE, "height": HOLE, "counts": [0, HOLE * HOLE]}
    return {"mask_rle": json.dumps(runs), "settings": json.dumps(SETTINGS)}


def encoded(pixels: np.ndarray) -> bytes:
    """Return a PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


if __name__ == "__main__":
    main()
