from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lacuna.errors import OptionError
from lacuna.evaluate import evaluate, memory
from lacuna.evaluate.memory import check_memory_limit, parse_bytes, session_memory
from lacuna.evaluate.tables import markdown

LIMIT = 500 << 20
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="memory is read from /proc")


def run(data: Path, methods: str, **how: Any) -> Any:
    return evaluate(data / "images", data / "masks/small", methods, data / "out", **how)


@linux
def test_a_method_that_hoards_is_stopped_and_the_others_go_on(plugin: Path, data: Path) -> None:
    found = run(data, "hoard", memory_limit=LIMIT, time_limit=15)
    assert [row["status"] for row in found.rows] == ["error", "ok", "ok"]
    row = found.rows[0]
    assert (row["type"], row["limit"]) == ("MemoryLimit", LIMIT)
    assert row["error"] == "stopped beyond 500 MiB of memory"
    assert "600 s and 500 MiB at most" not in markdown(found)
    assert "15 s and 500 MiB at most" in markdown(found)


@linux
def test_programs_of_a_method_are_weighed_and_killed_with_it(plugin: Path, data: Path) -> None:
    for name in ("p1.png", "p2.png"):
        (data / "images" / name).unlink()
        (data / "masks/small" / name).unlink()
    found = run(data, "parent", memory_limit=LIMIT, time_limit=15)
    assert [row["type"] for row in found.rows] == ["MemoryLimit"]
    children = [int(pid) for pid in plugin.read_text().split()]
    assert children
    for pid in children:
        deadline = time.monotonic() + 5
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _runs(pid)


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@linux
def test_a_higher_limit_tries_again_and_a_lower_one_does_not(plugin: Path, data: Path) -> None:
    first = run(data, "hang", time_limit=1)
    assert [row["status"] for row in first.rows] == ["error", "ok", "ok"]
    assert run(data, "hang", time_limit=0.5, resume=True).rows == first.rows
    again = run(data, "hang", time_limit=1.5, resume=True)
    assert again.rows[0]["error"] == "stopped after 1.5 s"
    assert again.rows[1:] == first.rows[1:]


@linux
def test_memory_of_a_session_is_that_of_its_processes() -> None:
    code = "kept = bytearray(b'x') * 200_000_000; print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=-1, stdout=-1, text=True, start_new_session=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        held = session_memory(child.pid)
        child.communicate("\n")
    assert held is not None
    assert 200e6 < held < 300e6
    assert session_memory(child.pid) == 0


def test_where_the_system_does_not_tell_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    assert session_memory(os.getpid()) is None
    check_memory_limit(None)
    with pytest.raises(OptionError, match="not available on this system"):
        check_memory_limit(LIMIT)


@pytest.mark.parametrize("text", ["", "8", "lots", "-1GiB", "8 gib", "1e3MB"])
def test_sizes_that_are_none_or_too_small(text: str) -> None:
    with pytest.raises(OptionError, match="expected"):
        check_memory_limit(parse_bytes(text))
