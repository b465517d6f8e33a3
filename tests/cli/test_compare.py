from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lacuna.cli import exits
from lacuna.errors import MaskError, MethodError, UnknownMethodError


class Grey:
    def fill(self, image: Any, hole: Any, *, aux: Any, seed: int, on_step: Any = None) -> Any:
        return np.full_like(image, 0.5)


class Clumsy:
    def fill(self, image: Any, hole: Any, *, aux: Any, seed: int, on_step: Any = None) -> Any:
        raise ZeroDivisionError("tripped")


def compare(scene: Any, *more: str) -> list[str]:
    photo, mask, sheet = (scene.path(name) for name in ("photo.png", "mask.png", "sheet.png"))
    return ["compare", photo, "--mask", mask, "-o", sheet, *more]


def test_every_method_that_runs_here_is_on_the_sheet(lacuna: Callable, scene: Any) -> None:
    told = {method["name"]: method for method in lacuna("methods", "--json").json["methods"]}
    ran = lacuna(*compare(scene, "--json"))
    assert (ran.code, ran.err) == (0, "")
    outcomes = {method["name"]: method for method in ran.json["methods"]}
    assert set(outcomes) == {
        name for name in told if name != "auto" and not told[name]["weights"] and not told[name]["slow"]
    }
    for name, outcome in outcomes.items():
        if told[name]["available"]:
            assert outcome["problem"] is None
            assert outcome["seconds"] >= 0
            assert outcome["changed_outside"] == 0
        else:
            assert told[name]["missing"] in outcome["problem"]
    assert "sheet.png" in scene.files


def test_a_failing_method_is_named_and_the_others_are_shown(
    lacuna: Callable, scene: Any, add_method: Callable[..., str]
) -> None:
    add_method(Grey)
    add_method(Clumsy)
    add_method(Grey, name="absent", probe="lacuna_test_plugin:probe")
    import lacuna_test_plugin  # type: ignore[import-not-found]

    lacuna_test_plugin.probe = lambda: "install the thing"
    names = [word for name in ("grey", "clumsy", "absent") for word in ("--method", name)]
    ran = lacuna(*compare(scene, *names))
    assert ran.code == 0
    assert "0 of 2,100 known pixels changed" in ran.out
    assert "tripped" in ran.out
    assert "install the thing" in ran.out
    assert "sheet.png" in ran.err
    sheet = scene.read("sheet.png")
    third = 16 + 2 * (240 + 16)
    assert (sheet[16:56, third : third + 56][scene.hole] == 128).all()


def test_no_sheet_is_written_when_nothing_could_be_filled(
    lacuna: Callable, scene: Any, add_method: Callable[..., str]
) -> None:
    add_method(Clumsy)
    ran = lacuna(*compare(scene, "--method", "clumsy"))
    assert ran.code == exits.EXIT_CODES[MethodError]
    assert "tripped" in ran.err
    assert "sheet.png" not in scene.files


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--method", "tele"], exits.EXIT_CODES[UnknownMethodError]),
        (["--mask", "nowhere.png"], exits.EXIT_CODES[MaskError]),
        (["--mask", "nowhere.png", "--method", "tele"], exits.EXIT_CODES[UnknownMethodError]),
        (["-o", "-"], exits.USAGE),
    ],
)
def test_bad_input_is_told_once_and_not_by_every_method(
    lacuna: Callable, scene: Any, more: list[str], code: int
) -> None:
    ran = lacuna(*compare(scene, *more))
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("\n") == 1
    assert "sheet.png" not in scene.files


def test_an_interrupt_ends_the_comparison_and_is_not_taken_for_a_failure(
    lacuna: Callable, scene: Any, add_method: Callable[..., str]
) -> None:
    class Stopped:
        def fill(self, image: Any, hole: Any, *, aux: Any, seed: int, on_step: Any = None) -> Any:
            raise SystemError(
                "CPUDispatcher returned a result with an exception set"
            ) from KeyboardInterrupt()

    add_method(Stopped)
    ran = lacuna(*compare(scene, "--method", "telea", "--method", "stopped"))
    assert ran.code == exits.INTERRUPTED
    assert "sheet.png" not in scene.files


def test_quiet_prints_nothing(lacuna: Callable, scene: Any) -> None:
    ran = lacuna(*compare(scene, "--method", "telea", "-q"))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
