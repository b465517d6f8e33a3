from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import lacuna

PACKAGE = Path(lacuna.__file__).parent
ROOT = PACKAGE.parent.parent

HEAVY = [
    "torch",
    "cv2",
    "numba",
    "PIL",
    "numpy",
    "onnxruntime",
    "tifffile",
    "jpeglib",
    "scipy",
    "rich",
    "typer",
]


def fresh(code: str) -> dict[str, object]:
    """Run code in a new interpreter and return what it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_importing_is_light_and_quick() -> None:
    code = (
        "import sys, time, json; before = set(sys.modules); start = time.process_time(); import lacuna; "
        "seconds = time.process_time() - start; new = sorted(set(sys.modules) - before); "
        "print(json.dumps({'seconds': seconds, 'new': new}))"
    )
    runs = [fresh(code) for _ in range(3)]
    assert min(run["seconds"] for run in runs) < 0.15  # type: ignore[type-var]
    loaded = {str(name).split(".")[0] for name in runs[0]["new"]}  # type: ignore[attr-defined]
    assert not loaded & set(HEAVY)


def test_listing_methods_loads_no_method() -> None:
    code = (
        "import sys, json, lacuna; names = [spec.name for spec in lacuna.list_methods()]; "
        "print(json.dumps({'names': names, 'loaded': sorted(sys.modules)}))"
    )
    answer = fresh(code)
    loaded = {str(name) for name in answer["loaded"]}  # type: ignore[attr-defined]
    assert "patchmatch" in answer["names"]  # type: ignore[operator]
    assert not loaded & {"torch", "cv2", "numba", "PIL"}


def test_public_names_are_what_is_visible() -> None:
    code = (
        "import json, lacuna; resolved = [name for name in lacuna.__all__ if hasattr(lacuna, name)]; "
        "print(json.dumps({'all': lacuna.__all__, 'dir': dir(lacuna), 'resolved': resolved}))"
    )
    names = fresh(code)
    assert names["all"] == names["dir"] == names["resolved"]
    assert len(lacuna.__all__) <= 15
    assert set(lacuna._HOMES) | {"errors", "__version__"} == set(lacuna.__all__)


def test_nothing_else_is_visible_before_use() -> None:
    code = "import json, lacuna; print(json.dumps({'vars': [n for n in vars(lacuna) if n[0] != '_']}))"
    visible = set(fresh(code)["vars"])  # type: ignore[call-overload]
    assert visible <= {"annotations", "importlib", "TYPE_CHECKING", "Any"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lacuna' has no attribute 'inpaintt'"):
        lacuna.inpaintt  # noqa: B018


def test_layers() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_shipped() -> None:
    assert (resources.files("lacuna") / "py.typed").is_file()


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_only_two_files_import_by_name() -> None:
    """`registry.load_factory` makes methods, `lacuna.__getattr__` makes the public names lazy."""
    by_name = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        if "importlib" in _imports(path) and "import_module" in path.read_text(encoding="utf-8")
    }
    assert by_name == {"__init__.py", "registry.py"}


def test_torch_stays_in_its_places() -> None:
    allowed = (
        "nets/",
        "diffusion/",
        "losses",
        "train/",
        "torch_io",
        "devices.py",
        "methods/cnn/",
        "methods/diffusion/",
        "metrics/lpips_net.py",
        "metrics/inception_net.py",
    )
    for path in SOURCES:
        name = path.relative_to(PACKAGE).as_posix()
        assert "torch" not in _imports(path) or name.startswith(allowed), name
