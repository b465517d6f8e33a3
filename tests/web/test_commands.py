"""``lacuna web`` and ``lacuna replay`` as commands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from lacuna.cli import exits, main
from lacuna.errors import (
    ConfigError,
    ImageError,
    LimitError,
    MissingDependencyError,
    OptionError,
    OutputError,
)


def failed(capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[int, str]:
    code = main([*map(str, args)])
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert told.err.count("\n") == 1
    return code, told.err


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        (["--host", "::"], ConfigError, "--token"),
        (["--token", "short"], ConfigError, "16 characters"),
        (["--port", "99999"], ConfigError, "0 to 65535"),
        (["--queue", "0"], ConfigError, "more than 0"),
        (["nothing.jpg"], ImageError, "nothing.jpg"),
    ],
)
def test_a_server_that_cannot_be(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    error: Any,
    words: str,
) -> None:
    monkeypatch.delenv("LACUNA_TOKEN", raising=False)
    code, told = failed(capsys, "web", "--folder", tmp_path, "--no-open", *args)
    assert code == exits.EXIT_CODES[error]
    assert words in told


def test_an_address_that_is_taken(running: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, told = failed(
        capsys, "web", "--folder", tmp_path, "--no-open", "--port", str(running.settings.port)
    )
    assert code == exits.EXIT_CODES[OutputError]
    assert "--port" in told


def test_a_folder_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, photo: bytes
) -> None:
    (tmp_path / "file").write_bytes(photo)
    code, told = failed(
        capsys, "web", tmp_path / "file", "--no-open", "--port", "0", "--folder", tmp_path / "file" / "x"
    )
    assert code == exits.EXIT_CODES[OutputError]
    assert "LACUNA_PROJECTS" in told


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_the_server_opens_a_photo_and_ends_in_order(tmp_path: Path, photo: bytes) -> None:
    (tmp_path / "my photo.png").write_bytes(photo)
    code = "import sys; from lacuna.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "web", str(tmp_path / "my photo.png"), "--port", "0", "--no-open",
         "--folder", str(tmp_path / "projects")],
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LACUNA_TOKEN": "a token of some length"},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"(http://127\.0\.0\.1:\d+)/#project=([0-9a-f]{32})$", line.strip())
        assert found, line
        url, project = found[1], found[2]
        address = f"{url}/api/v1/projects/{project}"
        assert httpx.get(address).status_code == 401
        told = httpx.get(address, headers={"Authorization": "Bearer a token of some length"}).json()
        assert told["name"] == "my photo.png"
        assert told["photo"]["width"] == 128
        workers = children(process.pid)
        assert workers
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        until = time.monotonic() + 5
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert (tmp_path / "projects" / "projects" / project / "project.json").exists()


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found or ([] if Path("/proc").exists() else [pid])


def test_replay_does_not_offer_to_read_stdin(capsys: Any) -> None:
    assert main(["replay", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "stdin" not in words
    assert "beside the project file" in words


def test_replay_says_what_it_did(
    running: Any, photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = running.open(photo, "beach.png")["id"]
    running.done(running.fill(project, running.box, method="telea"))
    (tmp_path / "p.lacuna").write_bytes(running.http.get(f"/projects/{project}/file").content)
    assert main(["replay", str(tmp_path / "p.lacuna"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 1
    assert told["changed_known"] == told["changed_in_file"] == 0
    assert told["output"] == str(tmp_path / "beach.filled.png")
    assert (tmp_path / "beach.filled.png").read_bytes() == running.http.get(
        f"/projects/{project}/download"
    ).content
    code, words = failed(capsys, "replay", tmp_path / "p.lacuna", "-q")
    assert code == exits.EXIT_CODES[OutputError]
    assert "exists already" in words
    assert (
        main(["replay", str(tmp_path / "p.lacuna"), "-o", str(tmp_path / "x.jpg"), "--quality", "70", "-q"])
        == 0
    )
    assert (tmp_path / "x.jpg").read_bytes()[:2] == b"\xff\xd8"
    code, _ = failed(
        capsys, "replay", tmp_path / "p.lacuna", "-o", tmp_path / "y.png", "--quality", "70", "-q"
    )
    assert code == exits.EXIT_CODES[OptionError]
    assert not (tmp_path / "y.png").exists()
    code, _ = failed(
        capsys, "replay", tmp_path / "p.lacuna", "-o", tmp_path / "y.png", "--max-pixels", "50", "-q"
    )
    assert code == exits.EXIT_CODES[LimitError]
    for name, content, wanted in (("a", photo, ConfigError), ("b", b"", ConfigError)):
        (tmp_path / name).write_bytes(content)
        assert failed(capsys, "replay", tmp_path / name, "-q")[0] == exits.EXIT_CODES[wanted]
    assert failed(capsys, "replay", tmp_path / "none", "-q")[0] == exits.EXIT_CODES[ImageError]


def test_without_the_extra_the_server_says_what_to_install_and_replay_works(
    running: Any, photo: bytes, tmp_path: Path
) -> None:
    project = running.open(photo)["id"]
    running.done(running.fill(project, running.box, method="telea"))
    (tmp_path / "p.lacuna").write_bytes(running.http.get(f"/projects/{project}/file").content)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['fastapi', 'starlette', 'uvicorn'])); "
        "from lacuna.cli import main; "
        f"print(main(['web', '--no-open', '--folder', {str(tmp_path)!r}]), "
        f"main(['replay', {str(tmp_path / 'p.lacuna')!r}, '-o', {str(tmp_path / 'out.png')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert done.stdout.split() == [str(exits.EXIT_CODES[MissingDependencyError]), "0"], done.stderr
    assert "lacuna[web]" in done.stderr
    assert (tmp_path / "out.png").read_bytes() == running.http.get(f"/projects/{project}/download").content
