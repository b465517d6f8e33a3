"""What Lacuna promises, asked of tiny ONNX models of every convention, described and undescribed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import promises
import pytest
from promises import holes, some_hole

import lacuna
from lacuna import errors
from lacuna.inpainting import Inpainter, Result
from lacuna.methods.onnx import sidecar
from lacuna.methods.onnx.network import open_model

pytest.importorskip("onnx")

Make = Callable[..., np.ndarray]
MakeOnnx = Callable[..., Path]

CONVENTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "MI-GAN": {"dtype": "uint8", "span": (0, 255), "missing": 0, "known": 255},
    "LaMa": {"span": (0, 1), "output_span": (0, 255), "size": (96, 96)},
    "joined": {"joined": "image-mask", "span": (-1, 1)},
    "mask first": {"joined": "mask-image", "span": (-1, 1), "output_span": (0, 1)},
    "channels last": {"layout": "nhwc", "colours": "bgr", "gains": (1, 0.5, 0.25), "missing": 0, "known": 1},
    "half": {"dtype": "float16"},
    "wide": {"size": (40, 120), "span": (0, 255)},
}
every_convention = pytest.mark.parametrize("name", CONVENTIONS)


def describe(path: Path, how: dict[str, Any], **more: Any) -> None:
    """Write the sidecar that says a convention."""
    facts: dict[str, Any] = {"image": "image", **more}
    if "joined" not in how:
        facts["mask"] = "mask"
    for ours, theirs in (("span", "range"), ("output_span", "output_range")):
        facts[theirs] = list(how.get(ours, how.get("span", (0, 1))))
    facts |= {key: how[key] for key in ("layout", "colours", "joined", "missing", "known") if key in how}
    if "size" in how:
        facts["size"] = list(how["size"])
    lines = [f"{key} = {json.dumps(value)}" for key, value in facts.items()]
    path.with_suffix(".toml").write_text("\n".join(lines))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, make_onnx: MakeOnnx) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    paths = {}
    for number, (name, how) in enumerate(CONVENTIONS.items()):
        paths[name] = make_onnx(folder / f"m{number}.onnx", **how)
        describe(paths[name], how)
    return paths


def checked(path: Path, picture: np.ndarray, hole: np.ndarray, **how: Any) -> Result:
    return promises.checked(Inpainter("onnx", options={"weights": str(path)}), picture, hole, **how)


def plain(height: int, width: int, colour: tuple[float, ...]) -> np.ndarray:
    return np.tile(np.array(colour, np.float32), (height, width, 1))


@every_convention
def test_each_convention_fills_in_the_right_colour(name: str, models: dict[str, Path]) -> None:
    """A plain picture stays plain, whatever the model calls its black, its mask and its red."""
    hole = some_hole(37, 51)
    picture = plain(37, 51, (0.8, 0.4, 0.2))
    damaged = np.where(hole[..., None], np.float32(1), picture)
    filled = checked(models[name], damaged, hole).image[hole]
    expected = picture[0, 0] * np.array(CONVENTIONS[name].get("gains", (1, 1, 1)))
    np.testing.assert_allclose(filled, np.tile(expected, (len(filled), 1)), atol=0.004)


@every_convention
@pytest.mark.parametrize("size", [(13, 67), (1, 9), (3, 2), (140, 20), (200, 310)])
def test_any_size(name: str, size: tuple[int, int], models: dict[str, Path], make_picture: Make) -> None:
    hole = some_hole(*size)
    result = checked(models[name], make_picture(*size), hole)
    fits = CONVENTIONS[name].get("size")
    reduced = any("of their size" in note for note in result.notes)
    assert reduced == (fits is not None and (size[0] > fits[0] or size[1] > fits[1]))


@every_convention
@pytest.mark.parametrize("hole", holes())
def test_what_lies_under_the_hole_is_meaningless(
    name: str, hole: str, models: dict[str, Path], make_picture: Make
) -> None:
    picture, missing = make_picture(33, 41), holes()[hole]
    damaged = picture.copy()
    damaged[missing] = (255, 0, 255)
    filled = checked(models[name], damaged, missing).image
    assert not (filled[missing] == (255, 0, 255)).all(axis=1).any()
    damaged[missing] = (0, 255, 0)
    assert np.array_equal(checked(models[name], damaged, missing).image, filled)


@every_convention
@pytest.mark.parametrize(("channels", "dtype"), [(1, "uint8"), (4, "uint16"), (3, "float32"), (2, "uint8")])
def test_any_kind_of_picture(
    name: str, channels: int, dtype: str, models: dict[str, Path], make_picture: Make
) -> None:
    picture = make_picture(20, 27, channels, np.dtype(dtype))
    result = checked(models[name], picture, some_hole(20, 27))
    if channels in (2, 4):
        assert np.array_equal(result.image[..., -1], picture[..., -1])


def test_same_bytes_in_any_memory_order(models: dict[str, Path], make_picture: Make) -> None:
    picture, hole = make_picture(40, 52), some_hole(40, 52)
    expected = checked(models["plain"], picture, hole).image
    assert np.array_equal(checked(models["plain"], np.asfortranarray(picture), hole, seed=5).image, expected)


def test_it_can_be_stopped(models: dict[str, Path], make_picture: Make) -> None:
    def stop(share: float, words: str) -> None:
        raise errors.Cancelled("enough")

    with pytest.raises(errors.Cancelled, match="enough"):
        checked(models["plain"], make_picture(20, 27), some_hole(20, 27), on_step=stop)


def test_a_model_that_takes_multiples_gets_them(
    tmp_path: Path, make_onnx: MakeOnnx, make_picture: Make
) -> None:
    """Pixels are folded by 16 and unfolded again, which fails on any other size."""
    fold = "small = SpaceToDepth<blocksize = 16>(painted) filled = DepthToSpace<blocksize = 16>(small)"
    path = make_onnx(tmp_path / "m.onnx", extra=fold)
    describe(path, {})
    with pytest.raises(errors.MethodError, match=r"m\.onnx takes image \(float32 \?×3×\?×\?\)"):
        checked(path, make_picture(40, 50), some_hole(40, 50))
    describe(path, {}, multiple=16, least=64)
    checked(path, make_picture(40, 50), some_hole(40, 50))
    path.with_suffix(".toml").unlink()
    assert open_model(path)[1].multiple == 16
    checked(path, make_picture(40, 50), some_hole(40, 50))


def test_large_frames_are_reduced_if_the_sidecar_says_so(
    tmp_path: Path, make_onnx: MakeOnnx, make_picture: Make
) -> None:
    path = make_onnx(tmp_path / "m.onnx")
    describe(path, {}, largest=40 * 50)
    result = checked(path, make_picture(80, 100), some_hole(80, 100))
    assert any("at 50% of their size" in note for note in result.notes)


# --- without a sidecar -------------------------------------------------------------------------------------


@every_convention
def test_conventions_are_guessed_and_it_is_said(name: str, tmp_path: Path, make_onnx: MakeOnnx) -> None:
    how = CONVENTIONS[name]
    if name == "channels last":
        how = {**how, "colours": "rgb", "gains": (1, 1, 1)}  # red and blue look alike to a trial run
    path = make_onnx(tmp_path / "m.onnx", **how)
    facts = open_model(path)[1]
    assert facts.guessed
    assert (facts.missing > facts.known) == (how.get("missing", 1) > how.get("known", 0))
    assert facts.size == how.get("size")
    assert facts.layout == how.get("layout", "nchw")
    hole, picture = some_hole(37, 51), plain(37, 51, (0.8, 0.4, 0.2))
    result = checked(path, np.where(hole[..., None], np.float32(1), picture), hole)
    np.testing.assert_allclose(result.image[hole], picture[hole], atol=0.004)
    assert any("was guessed; a trial run agrees" in note for note in result.notes)


def test_names_are_only_a_hint(tmp_path: Path, make_onnx: MakeOnnx) -> None:
    path = make_onnx(tmp_path / "m.onnx", names=("a", "b", "c"), missing=0, known=1)
    facts = open_model(path)[1]
    assert (facts.image, facts.mask, facts.output) == ("a", "b", "c")
    assert (facts.missing, facts.known) == (0, 1)


def test_a_model_that_makes_no_sense_is_doubted(tmp_path: Path, make_onnx: MakeOnnx) -> None:
    path = make_onnx(
        tmp_path / "m.onnx", extra="k = Constant<value = float {0.0}>() filled = Mul(painted, k)"
    )
    hole = some_hole(20, 27)
    result = checked(path, plain(20, 27, (0.8, 0.4, 0.2)), hole)
    assert any("no trial run agrees" in note for note in result.notes)


# --- bad input ---------------------------------------------------------------------------------------------


def test_no_model_and_no_such_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path))
    with pytest.raises(errors.WeightsNotFoundError, match=r"onnx.*lacuna weights add"):
        Inpainter("onnx")
    with pytest.raises(errors.WeightsNotFoundError, match="no weights named 'mine'"):
        Inpainter("onnx", options={"weights": "mine"})
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(errors.WeightsError, match="fetch it again"):
        Inpainter("onnx", options={"weights": str(tmp_path / "m.onnx")})


@pytest.mark.parametrize(
    ("inputs", "nodes"),
    [
        ("float[1,3,8,8] a, float[1,1,8,8] b, float[1] steps", "y = Identity(a)"),
        ("float[1,77] tokens", "y = Identity(tokens)"),
        ("float[1,5,h,w] five", "y = Identity(five)"),
        ("string[1,3,h,w] a, float[1,1,h,w] b", "y = Identity(b)"),
    ],
)
def test_inputs_of_something_else_are_listed(tmp_path: Path, inputs: str, nodes: str) -> None:
    import onnx

    text = f'<ir_version: 9, opset_import: ["" : 17]> g ({inputs}) => (float y) {{ {nodes} }}'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    first = inputs.split(",")[0].split("[")[0]
    with pytest.raises(errors.WeightsError) as caught:
        Inpainter("onnx", options={"weights": str(tmp_path / "m.onnx")})
    words = str(caught.value)
    assert "expected a picture of 3 channels and a mask of 1" in words or "cannot be loaded" in words
    assert all(name.split()[-1] in words for name in inputs.split(", ")) or "cannot be loaded" in words
    assert first


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("imag = 'image'", r"unknown key 'imag'; did you mean 'image'\?"),
        ("steps = 1", "unknown key 'steps'; there are: image, mask, joined"),
        ("range = [0, 1, 2]", r"range is \[0, 1, 2\]; expected two numbers"),
        ("range = [1, 0]", "expected two numbers"),
        ("range = 'byte'", "expected two numbers"),
        ("missing = true", "missing is True; expected a number"),
        ("missing = 0", "missing and known are both 0"),
        ("layout = 'chw'", "expected 'nchw' or 'nhwc'"),
        ("colours = 'grey'", "expected 'rgb' or 'bgr'"),
        ("size = 0", "expected one side of a square"),
        ("size = [8, 8.5]", "expected one side of a square"),
        ("multiple = 0", "expected a whole number of 1 or more"),
        ("multiple = 8.0", "expected a whole number of 1 or more"),
        ("guessed = 1", "expected true or false"),
        ("joined = 'image-mask'", "keep one"),
        ("output = 'depth'", r"m\.onnx takes image .*names 'depth'"),
        ("layout = 'nhwc'", "must say the size"),
        ("mask = ", "is no sidecar"),
    ],
)
def test_a_sidecar_that_is_wrong(tmp_path: Path, make_onnx: MakeOnnx, line: str, words: str) -> None:
    path = make_onnx(tmp_path / "m.onnx")
    keys = {"image": "image = 'image'", "mask": "mask = 'mask'"}
    keys[line.split(" =")[0]] = line
    path.with_suffix(".toml").write_text("\n".join(keys.values()))
    with pytest.raises(errors.ConfigError, match=rf"m\.toml.*{words}"):
        Inpainter("onnx", options={"weights": str(path)})


def test_a_sidecar_that_does_not_fit(tmp_path: Path, make_onnx: MakeOnnx) -> None:
    path = make_onnx(tmp_path / "m.onnx", size=(64, 64))
    describe(path, {"size": (32, 32)})
    with pytest.raises(errors.ConfigError, match=r"size \(32, 32\)"):
        Inpainter("onnx", options={"weights": str(path)})
    describe(path, {})
    with pytest.raises(errors.ConfigError, match=r"must say the size"):
        Inpainter("onnx", options={"weights": str(path)})
    path.with_suffix(".toml").write_text("image = 'image'")
    with pytest.raises(errors.ConfigError, match="does not say what goes into 'mask'"):
        Inpainter("onnx", options={"weights": str(path)})
    path.with_suffix(".toml").write_text("mask = 'mask'")
    with pytest.raises(errors.ConfigError, match="'image' is missing"):
        Inpainter("onnx", options={"weights": str(path)})


def test_every_fact_survives_being_written() -> None:
    facts = sidecar.Facts(
        *("a", None, "mask-image", "b", "nhwc", "bgr", (-1.0, 1.0), (0.0, 255.0), 0.0, 255.0, 0.5, (3, 4)),
        *(8, 64, 1000, True),
    )
    text = sidecar.write(facts, "two\nlines")
    assert text.startswith("# two\n# lines\n")
    import tomllib

    assert sidecar.parse(tomllib.loads(text)) == facts


@pytest.mark.parametrize(
    ("dtype", "words"), [("float", "the model or its sidecar"), ("float16", "half precision overflowed")]
)
def test_values_that_are_not_finite(
    tmp_path: Path, make_onnx: MakeOnnx, make_picture: Make, dtype: str, words: str
) -> None:
    extra = "huge = Exp(painted) huger = Exp(huge) e3 = Exp(huger) e4 = Exp(e3) filled = Exp(e4)"
    path = make_onnx(tmp_path / "m.onnx", dtype=dtype, extra=extra)
    describe(path, {})
    with pytest.raises(
        errors.MethodError, match=rf"m\.onnx returned \d+ values that are not finite; {words}"
    ):
        checked(path, make_picture(20, 27), some_hole(20, 27))


def test_an_output_of_another_size(tmp_path: Path, make_onnx: MakeOnnx, make_picture: Make) -> None:
    path = make_onnx(tmp_path / "m.onnx", extra="filled = AveragePool<kernel_shape = [2, 2]>(painted)")
    describe(path, {})
    with pytest.raises(errors.MethodError, match=r"returned 'filled' of shape .*expected \(1, 3, "):
        checked(path, make_picture(20, 27), some_hole(20, 27))


def test_weights_of_another_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path / "kept"))
    from lacuna import weights

    (tmp_path / "f.pt").write_bytes(b"x")
    weights.add("mine", b"x", method="lama", origin=tmp_path / "f.pt")
    with pytest.raises(errors.WeightsError, match="for method 'lama', not for 'onnx'"):
        Inpainter("onnx", options={"weights": "mine"})


def test_the_catalogue_knows_it() -> None:
    spec = next(spec for spec in lacuna.list_methods("onnx") if spec.name == "onnx")
    assert spec.weights
    assert spec.accelerated
    assert spec.missing() is None


def test_every_key_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/onnx.md").read_text(encoding="utf-8")
    for key in sidecar._KEYS:
        assert f"\n| `{key}` |" in page, key


def test_the_sidecars_of_the_documentation_are_right() -> None:
    import re
    import tomllib

    page = (Path(__file__).parents[2] / "docs/onnx.md").read_text(encoding="utf-8")
    told = [sidecar.parse(tomllib.loads(text)) for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    assert [(facts.missing, facts.size, facts.joined) for facts in told] == [
        (0, None, None),
        (1, (512, 512), None),
        (1, None, "image-mask"),
    ]
