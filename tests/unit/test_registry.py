from __future__ import annotations

import dataclasses
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

import numpy as np
import pytest

from lacuna import registry
from lacuna.errors import MissingDependencyError, OptionError, UnknownMethodError
from lacuna.registry import MethodSpec


@dataclass(frozen=True)
class Settings:
    size: int = field(default=7, metadata={"help": "side of a patch"})
    weight: float = 0.5
    sharp: bool = True
    mode: Literal["fast", "good"] = "fast"
    levels: int | None = None
    step: Literal[1, 2] = 1
    name: str = "x"
    derived: int = field(default=0, init=False)

    def fill(self, image: Any, hole: Any, **_: Any) -> Any:
        return image


def parse(**options: Any) -> dict[str, Any]:
    return registry.parse_options(Settings, options, owner="m")


@pytest.mark.parametrize(
    ("option", "given", "expected"),
    [
        ("size", "9", 9),
        ("size", " 9 ", 9),
        ("size", np.int64(9), 9),
        ("weight", "0.25", 0.25),
        ("weight", 1, 1.0),
        ("weight", np.float32(0.5), 0.5),
        ("sharp", "off", False),
        ("sharp", "Yes", True),
        ("sharp", False, False),
        ("mode", "good", "good"),
        ("step", "2", 2),
        ("step", 2, 2),
        ("levels", "auto", None),
        ("levels", None, None),
        ("levels", "3", 3),
        ("name", "5", "5"),
    ],
)
def test_values_become_the_options_type(option: str, given: Any, expected: Any) -> None:
    value = parse(**{option: given})[option]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("size", 9.5),
        ("size", "9.5"),
        ("size", True),
        ("size", None),
        ("size", [9]),
        ("weight", "much"),
        ("weight", True),
        ("weight", float("nan")),
        ("weight", "inf"),
        ("weight", [0.5]),
        ("weight", None),
        ("sharp", 2),
        ("sharp", "maybe"),
        ("mode", "Good"),
        ("mode", np.array(["fast", "good"])),
        ("step", True),
        ("step", 3),
        ("levels", "many"),
        ("name", 5),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(option: str, given: Any) -> None:
    with pytest.raises(OptionError, match=rf"option '{option}' of method 'm' is .*expected"):
        parse(**{option: given})


def test_unknown_option_names_the_nearest_and_all() -> None:
    with pytest.raises(OptionError, match=r"no option 'sizes'; did you mean 'size'.*weight, sharp"):
        parse(sizes=3)


def test_a_computed_field_is_no_option() -> None:
    with pytest.raises(OptionError, match="no option 'derived'"):
        parse(derived=3)


def test_hyphens_are_underscores() -> None:
    @dataclass(frozen=True)
    class Hyphen:
        patch_size: int = 7

    assert registry.parse_options(Hyphen, {"patch-size": "5"}, owner="m") == {"patch_size": 5}


def test_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UnknownMethodError, match="unknown method 'patch-match'; did you mean patchmatch"):
        registry.get("patch-match")


def test_unknown_method_without_a_neighbour_lists_all() -> None:
    with pytest.raises(UnknownMethodError, match="there are: auto, patchmatch"):
        registry.get("zzzzzz")


@pytest.mark.parametrize("name", [None, ["telea"], 3])
def test_a_name_that_is_no_string_is_unknown(name: Any) -> None:
    with pytest.raises(UnknownMethodError):
        registry.get(name)


def test_families() -> None:
    names = [spec.name for spec in registry.list_methods()]
    assert names[0] == "auto"
    assert len(set(names)) == len(names)
    assert [spec.name for spec in registry.list_methods("meta")] == ["auto"]
    assert registry.list_methods("no such family") == []


def test_register_create_and_describe(add_method: Callable[..., str]) -> None:
    name = add_method(Settings, name="mine")
    assert registry.create(name, {"size": "3"}) == Settings(size=3)
    described = {option.name: option for option in registry.options_of(name)}
    assert "derived" not in described
    assert described["size"] == registry.OptionSpec("size", "int", 7, "side of a patch")
    assert described["levels"].type == "int | auto"
    assert described["mode"].type == "fast | good"


def test_a_name_is_taken_once(add_method: Callable[..., str]) -> None:
    name = add_method(Settings, name="mine")
    registry.register(registry.get(name))  # the same facts again are no conflict
    with pytest.raises(ValueError, match="'mine' is registered already"):
        registry.register(dataclasses.replace(registry.get(name), summary="another"))
    assert registry.get(name).summary == "made by a test"


def test_only_specs_are_registered() -> None:
    with pytest.raises(TypeError, match="MethodSpec"):
        registry.register("telea")  # type: ignore[arg-type]


def test_a_method_that_cannot_run_says_what_to_install(add_method: Callable[..., str]) -> None:
    name = add_method(Settings, name="absent", probe="lacuna_test_plugin:probe")
    import sys

    sys.modules["lacuna_test_plugin"].probe = lambda: "pip install absent"  # type: ignore[attr-defined]
    assert registry.get(name).missing() == "pip install absent"
    with pytest.raises(MissingDependencyError, match="'absent' cannot run here: pip install absent"):
        registry.create(name)


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Return a function that makes the registry unread, with the given entry points installed."""

    def forget(entries: list[metadata.EntryPoint]) -> None:
        monkeypatch.setattr(registry, "_specs", {})
        monkeypatch.setattr(registry, "_loaded", False)
        monkeypatch.setattr(registry.metadata, "entry_points", lambda *, group: entries)

    return forget


SPEC = MethodSpec("from-a-package", "test", "a plug-in", f"{__name__}:Settings")


def entry(value: str, monkeypatch: pytest.MonkeyPatch) -> metadata.EntryPoint:
    """Return an entry point to an attribute of a module that only this test knows."""
    import sys
    import types

    module = types.ModuleType("fake_distribution")
    module.SPEC = SPEC  # type: ignore[attr-defined]
    module.TAKEN = dataclasses.replace(SPEC, name="telea")  # type: ignore[attr-defined]
    module.WRONG = "not a spec"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_distribution", module)
    return metadata.EntryPoint("from-a-package", value, registry.ENTRY_POINTS)


def test_a_plug_in_is_found(fresh_registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh_registry([entry("fake_distribution:SPEC", monkeypatch)])
    assert registry.get("from-a-package") == SPEC
    assert registry.list_methods()[-1] == SPEC


@pytest.mark.parametrize(
    "broken", ["no_such_module:SPEC", "fake_distribution:TAKEN", "fake_distribution:WRONG"]
)
def test_a_broken_plug_in_takes_nothing_else_away(
    broken: str, fresh_registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_registry([entry(broken, monkeypatch), entry("fake_distribution:SPEC", monkeypatch)])
    with pytest.warns(RuntimeWarning, match=f"plug-in '{broken}' is left out"):
        assert registry.get("telea").family == "classical"
    assert registry.get("from-a-package") == SPEC


def test_threads_that_come_first_see_everything(fresh_registry: Any) -> None:
    fresh_registry([])
    seen: list[int] = []
    gate = threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        seen.append(len(registry.list_methods()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert seen[0] > 5


def test_every_catalogue_line_is_complete() -> None:
    for spec in registry.list_methods():
        assert spec.summary, spec.name
        assert spec.family in ("meta", "classical", "onnx", "cnn", "diffusion"), spec.name
        assert spec.reference or spec.family == "meta", spec.name
        assert spec.aux <= {"guide", "sources", "sketch"}, spec.name
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cls = registry.load_factory(spec.factory)
        assert dataclasses.is_dataclass(cls), spec.name
        assert cls.__dataclass_params__.frozen, spec.name  # type: ignore[attr-defined]
        for option in registry.options_of(spec.name):
            assert option.help, f"{spec.name}: option {option.name} has no help"
