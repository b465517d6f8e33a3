"""The peers: how their programs are started, watched and stopped; and, where they are installed, their fills.

The first half needs no peer: a script of ours stands in for theirs.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lacuna
from lacuna import errors, registry
from lacuna.methods.classical import _child, gmic, opencv_contrib
from lacuna.methods.classical.gmic import Gmic
from lacuna.methods.classical.opencv_contrib import FrequencySelective, ShiftMap
from lacuna.types import Aux, FloatImage, Hole

Fake = Callable[[str], None]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Return ``fake(code)``: run this instead of the peer's script."""

    def install(code: str) -> None:
        script = tmp_path / "peer.py"
        script.write_text("import os, sys, time\nimport numpy as np\nfolder = sys.argv[2]\n" + code)
        monkeypatch.setattr(opencv_contrib, "SCRIPT", script)
        monkeypatch.setenv(opencv_contrib.VARIABLE, sys.executable)

    return install


@pytest.fixture
def image(make_picture: Callable[..., np.ndarray]) -> FloatImage:
    picture: FloatImage = make_picture(40, 50, 3, np.float32)
    return picture


@pytest.fixture
def hole() -> Hole:
    missing = np.zeros((40, 50), dtype=bool)
    missing[15:24, 18:30] = True
    return missing


def test_files_go_there_and_back(fake: Fake, image: FloatImage, hole: Hole) -> None:
    fake(
        "image, hole = np.load(folder + '/image.npy'), np.load(folder + '/hole.npy')\n"
        "assert (image.dtype, hole.dtype, hole.sum(), image[hole].any()) == (np.uint8, bool, 108, False)\n"
        "image[hole] = (10, 20, 30)\n"
        "np.save(folder + '/out.npy', image)\n"
    )
    out = ShiftMap().fill(image, hole, aux=Aux(), seed=0)
    assert np.array_equal(out[~hole], image[~hole])
    assert np.allclose(out[hole] * 255, (10, 20, 30))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('early'); raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("sys.exit(7)", "exit code 7"),
        ("print('oh', flush=True); os.abort()", "oh; ended by SIGABRT"),
        ("pass", "out.npy"),
        ("open(folder + '/out.npy', 'w').write('nonsense')", "could not exchange files"),
        ("np.save(folder + '/out.npy', np.zeros((2, 2), np.uint8))", r"wrote uint8 \(2, 2\), not a picture"),
    ],
)
def test_a_failing_program_is_a_method_error(
    code: str, words: str, fake: Fake, image: FloatImage, hole: Hole
) -> None:
    fake(code)
    with pytest.raises(errors.MethodError, match=f"opencv-fsr.*{words}"):
        FrequencySelective().fill(image, hole, aux=Aux(), seed=0)


@pytest.mark.parametrize("stop", [errors.Cancelled, KeyboardInterrupt, BrokenPipeError])
def test_stopping_kills_the_program(
    stop: type[BaseException], fake: Fake, image: FloatImage, hole: Hole, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    fake(f"open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{folder}}'); time.sleep(60)")

    def watch(share: float, words: str) -> None:
        if note.exists() and " " in note.read_text():
            raise stop("enough")

    with pytest.raises(stop, match="enough"):
        ShiftMap().fill(image, hole, aux=Aux(), seed=0, on_step=watch)
    pid, folder = note.read_text().split()
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_time_limit(fake: Fake, image: FloatImage, hole: Hole) -> None:
    fake("time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(errors.MethodError, match=r"stopped after 0\.3 s.*'time_limit'"):
        ShiftMap(time_limit=0.3).fill(image, hole, aux=Aux(), seed=0)
    assert time.monotonic() - start < 5


def test_a_program_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, image: FloatImage, hole: Hole
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.MethodError, match="gmic cannot be started"):
        Gmic().fill(image, hole, aux=Aux(), seed=0)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(opencv_contrib.VARIABLE, raising=False)
    assert "pip install opencv-contrib-python-headless" in str(opencv_contrib.missing())
    monkeypatch.setenv(opencv_contrib.VARIABLE, str(tmp_path / "python"))
    assert "is no program" in str(opencv_contrib.missing())
    monkeypatch.setenv(opencv_contrib.VARIABLE, sys.executable)  # the OpenCV in here has no xphoto
    assert "has no xphoto" in str(opencv_contrib.missing())
    with pytest.raises(errors.MissingDependencyError, match="opencv-shiftmap"):
        registry.create("opencv-shiftmap")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt install gmic" in str(gmic.missing())


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("opencv-shiftmap", "time_limit", 0.0),
        ("opencv-fsr", "time_limit", 1e6),
        ("opencv-fsr", "quality", "worst"),
        ("gmic", "time_limit", -1.0),
        ("gmic", "command", "rm"),
    ],
)
def test_options_are_checked(name: str, option: str, value: object) -> None:
    cls = registry.load_factory(registry.get(name).factory)
    with pytest.raises(errors.OptionError, match=f"{option!r} of method {name!r}"):
        cls(**{option: value})


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2), (31, 40), (32, 32)], ids=str)
def test_small_pictures_are_mirrored_outwards(shape: tuple[int, int], rng: np.random.Generator) -> None:
    image, hole = rng.random((*shape, 3), dtype=np.float32), rng.random(shape) < 0.3
    wide, missed, inner = _child.pad(image, hole, 32)
    assert min(missed.shape) >= 32
    assert wide.shape[:2] == missed.shape
    assert np.array_equal(wide[inner], image)
    assert np.array_equal(missed[inner], hole)
    assert {tuple(row) for row in wide.reshape(-1, 3)} == {tuple(row) for row in image.reshape(-1, 3)}


def test_the_cover_is_a_colour_of_its_own() -> None:
    image = np.full((4, 4, 3), 0.25, dtype=np.float32)
    hole = np.eye(4, dtype=bool)
    covered, colour = _child.cover(image, hole)
    assert (covered[hole] == colour).all()
    assert not (image == colour).any()


def test_cimg_round_trip(tmp_path: Path, rng: np.random.Generator) -> None:
    image = rng.random((5, 7, 3), dtype=np.float32)
    image[0, 0] = np.frombuffer(b"\n\n\n\n", dtype=np.float32)[0]  # a line's end among the values
    gmic._write(tmp_path / "x.cimg", image)
    assert np.array_equal(gmic._read(tmp_path / "x.cimg"), image)
    (tmp_path / "y.cimg").write_bytes(b"1 char\n1 1 1 1\n0")
    with pytest.raises(ValueError, match="char"):
        gmic._read(tmp_path / "y.cimg")


def available(name: str, **options: object) -> lacuna.Inpainter:
    reason = registry.get(name).missing()
    if reason is not None:
        pytest.skip(reason)
    return lacuna.Inpainter(name, options=options)


PEERS = pytest.mark.parametrize(
    ("name", "options"),
    [
        ("opencv-shiftmap", {}),
        ("opencv-fsr", {"quality": "fast"}),
        ("gmic", {"command": "inpaint"}),
        ("gmic", {"command": "inpaint_matchpatch"}),
    ],
    ids=["shiftmap", "fsr", "gmic-inpaint", "gmic-matchpatch"],
)


@PEERS
@pytest.mark.parametrize("channels", [1, 3])
def test_stripes_are_continued(name: str, options: dict[str, object], channels: int) -> None:
    peer = available(name, **options)
    stripes = np.where((np.arange(96) // 8) % 2, 0.7, 0.3).astype(np.float32)
    truth = np.tile(stripes, (80, 1))
    if channels == 3:
        truth = truth[..., None] * np.array([1, 0.8, 0.6], dtype=np.float32)
    hole = np.zeros(truth.shape[:2], dtype=bool)
    hole[34:44, 40:60] = True
    damaged = truth.copy()
    damaged[hole] = 1
    filled = peer(damaged, hole)
    assert np.abs(filled - truth)[hole].mean() < 0.08  # the mean of all would be off by 0.2 (grey)


@PEERS
def test_grey_stays_grey(name: str, options: dict[str, object]) -> None:
    peer = available(name, **options)
    y, x = np.mgrid[:48, :56]
    grey = (60 + 2 * (x % 13) + 3 * (y % 7)).astype(np.uint8)
    hole = np.zeros(grey.shape, dtype=bool)
    hole[20:30, 20:28] = True
    out = peer(np.dstack([grey] * 3), hole)[hole].astype(int)
    assert np.ptp(out, axis=1).max() <= 2


def test_gmic_keeps_every_level(make_picture: Callable[..., np.ndarray]) -> None:
    peer = available("gmic")
    image = make_picture(60, 70, 3, np.float32)
    hole = np.zeros((60, 70), dtype=bool)
    hole[30, 30] = True
    filled = peer(image, hole)[30, 30]
    assert (np.abs(image[~hole] - filled).max(axis=1) < 1e-6).any()  # one pixel is copied, to the last bit


@pytest.mark.parametrize("name", ["gmic", "opencv-shiftmap"])
def test_what_was_left_empty_is_an_error(name: str, make_picture: Callable[..., np.ndarray]) -> None:
    peer = available(name)
    hole = np.zeros((40, 50), dtype=bool)
    hole[1::2] = True
    with pytest.raises(errors.MethodError, match=r"left \d+ of 1000 missing pixels empty"):
        peer(make_picture(40, 50), hole)


def test_eight_bits_are_told(make_picture: Callable[..., np.ndarray]) -> None:
    peer = available("opencv-fsr", quality="fast")
    hole = np.zeros((40, 50), dtype=bool)
    hole[20:23, 20:23] = True
    result = peer.run(make_picture(40, 50, 3, np.uint16), hole)
    assert any(re.search("8 bits", words) for words in result.notes)
