from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from lacuna import registry
from lacuna.cli import exits
from lacuna.errors import UnknownMethodError


def test_the_table_names_every_method(lacuna: Callable) -> None:
    ran = lacuna("methods")
    assert (ran.code, ran.err) == (0, "")
    for spec in registry.list_methods():
        assert spec.name in ran.out
    table = itertools.takewhile(lambda line: not re.match(r"[\w-]+(, [\w-]+)*: ", line), ran.out.splitlines())
    assert max(map(len, table)) <= 80


def test_json_holds_what_the_registry_knows(lacuna: Callable) -> None:
    methods = {method["name"]: method for method in lacuna("methods", "--json").json["methods"]}
    assert list(methods) == [spec.name for spec in registry.list_methods()]
    for name, method in methods.items():
        known = {option.name: option.type for option in registry.options_of(name)}
        assert {option["name"]: option["type"] for option in method["options"]} == known
        assert all(option["help"] for option in method["options"]), f"{name}: an option without help"
        assert method["available"] == (method["missing"] is None)


def test_one_method_is_shown_with_its_options(lacuna: Callable) -> None:
    ran = lacuna("methods", "telea")
    assert ran.code == 0
    assert "radius" in ran.out
    assert "--option" in ran.out
    assert "patchmatch" not in ran.out
    assert [method["name"] for method in lacuna("methods", "telea", "--json").json["methods"]] == ["telea"]


def test_an_unknown_name_is_an_error_with_the_nearest(lacuna: Callable) -> None:
    ran = lacuna("methods", "tela")
    assert ran.code == exits.EXIT_CODES[UnknownMethodError]
    assert "telea" in ran.err
