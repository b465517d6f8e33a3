"""What the server tells of itself: menus, metrics, documents, errors, the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lacuna import errors, registry
from lacuna.detect import DETECTORS
from lacuna.web import app, menu, metrics, problems

DOCS = Path(__file__).parents[2] / "docs"


def descendants(cls: type[errors.LacunaError]) -> Iterator[type[errors.LacunaError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == "lacuna.errors":
            yield from descendants(child)


def test_every_error_has_a_status_and_the_documentation_says_it() -> None:
    assert set(problems.STATUS) == set(descendants(errors.LacunaError))
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text, re.MULTILINE)
    assert {name: int(status) for name, status in rows} == {
        cls.__name__: status for cls, status in problems.STATUS.items()
    }


def test_an_error_of_a_plug_in_gets_the_status_of_its_base_and_a_bug_tells_no_secrets() -> None:
    class Fussy(errors.MaskError):
        """Words."""

    assert problems.problem(Fussy("a; b"))["status"] == 422
    told = problems.problem(KeyError("/secret/path"))
    assert told["status"] == 500
    assert "secret" not in str(told)
    assert problems.problem(MemoryError())["code"] == "DeviceOutOfMemoryError"
    for cls in problems.STATUS:
        again = problems.error_of(problems.problem(cls("words; do this")))
        assert type(again) is cls
        assert str(again) == "words; do this"


def test_the_menu_lists_every_method_auto_first(running: Any) -> None:
    told = running.http.get("/methods").json()["methods"]
    assert told[0]["name"] == "auto"
    assert {one["name"] for one in told} == {spec.name for spec in registry.list_methods()}
    by_name = {one["name"]: one for one in told}
    patch = by_name["patchmatch"]["options"][0]
    assert patch == {
        "name": "patch", "label": "patch", "type": "int", "nullable": False, "default": 5, "minimum": 3,
        "maximum": 21, "choices": None, "help": patch["help"],
    }  # fmt: skip
    levels = next(one for one in by_name["patchmatch"]["options"] if one["name"] == "levels")
    assert levels["nullable"] is True
    assert levels["default"] is None
    assert by_name["opencv-fsr"]["options"][0]["choices"] == ["best", "fast"]
    assert by_name["lama"]["available"] is False
    assert "weights" in by_name["lama"]["missing"]
    assert by_name["latent"]["takes_prompt"] is True
    assert by_name["latent"]["speed"] == "minutes"
    for one in told:
        assert one["speed"] in ("milliseconds", "seconds", "a minute", "minutes")
        assert not {"device", "download", "prompt"} & {option["name"] for option in one["options"]}


def test_the_bounds_of_the_menu_are_those_of_the_methods() -> None:
    for method in ("patchmatch", "telea", "navier-stokes"):
        for option in next(one for one in menu.methods() if one["name"] == method)["options"]:
            for bound, step in (("minimum", -1), ("maximum", 1)):
                if option[bound] is None:
                    continue
                registry.create(method, {option["name"]: option[bound]})
                beyond = option[bound] + (2 if option["name"] == "patch" else 1) * step
                with pytest.raises(errors.OptionError):
                    registry.create(method, {option["name"]: beyond})


def test_the_menu_lists_every_detector(running: Any) -> None:
    told = running.http.get("/detectors").json()
    assert [one["name"] for one in told["detectors"]] == list(DETECTORS)
    assert all(one["help"] for one in told["detectors"])
    assert told["click"] == {"segment_anything": False}


def test_weights_of_the_server_can_be_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = menu.weights.Entry("mine", "lama", "mine.safetensors", "", 1, "", "")
    monkeypatch.setattr(menu.weights, "entries", lambda: [entry])
    assert menu.options_for("lama", {"weights": "mine"}, "cpu") == {"weights": "mine"}
    with pytest.raises(errors.OptionError, match="there are: mine"):
        menu.options_for("lama", {"weights": "./mine"}, "cpu")
    option = next(one for one in menu._method(registry.get("lama"))["options"] if one["name"] == "weights")
    assert option["choices"] == ["mine"]


def test_metrics_are_prometheus_text(running: Any, photo: bytes, mask: bytes) -> None:
    running.ok(running.http.post("/inpaint", files={"image": photo, "mask": mask}))
    running.http.get("/projects/nothing")
    answer = running.ok(running.http.get("/metrics"))
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    seen: set[str] = set()
    for line in answer.text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) lacuna_\w+ .+", line)
            continue
        found = re.fullmatch(r"(lacuna_\w+)(\{(?:\w+=\"[^\"]*\",?)*\})? -?[\d.e+-]+", line)
        assert found, line
        seen.add(found[1])
    assert {
        "lacuna_requests_total",
        "lacuna_jobs_total",
        "lacuna_queue_waiting",
        "lacuna_folder_bytes",
    } <= seen
    assert 'route="/inpaint",status="200"' in answer.text
    assert 'kind="inpaint",state="done"' in answer.text
    assert "nothing" not in answer.text  # what clients send is no label


def test_a_histogram_adds_up() -> None:
    counts = metrics.Counts()
    for seconds in (0.005, 0.2, 200):
        counts.request("GET", "/x", 200, seconds)
    text = counts.text([])
    assert 'lacuna_request_seconds_bucket{route="/x",le="0.01"} 1' in text
    assert 'lacuna_request_seconds_bucket{route="/x",le="100"} 2' in text
    assert 'lacuna_request_seconds_bucket{route="/x",le="+Inf"} 3' in text
    assert 'lacuna_request_seconds_count{route="/x"} 3' in text


def test_health_and_limits(running: Any) -> None:
    health = running.http.get("/health").json()
    assert health["status"] == "ok"
    assert health["token_required"] is False
    assert health["devices"] == ["cpu"]
    assert health["queue"]["cpu"]["limit"] == running.settings.queue
    limits = running.http.get("/limits").json()
    assert limits["max_pixels"] == running.settings.max_pixels
    assert limits["tile"] == 512


def test_the_api_documents_itself(running: Any) -> None:
    told = running.http.get("/openapi.json").json()
    assert {"/api/v1/inpaint", "/api/v1/jobs/{job}/events", "/api/v1/projects/{project}/fills"} <= set(
        told["paths"]
    )
    for verbs in told["paths"].values():
        for route in verbs.values():
            assert route["summary"]
            assert "401" in route["responses"]
    page = running.ok(running.http.get("/docs"))
    assert "<script" not in page.text
    assert "http://" not in page.text
    for path in told["paths"]:
        assert path in page.text
    assert running.http.get("/docs.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("PUT", "/inpaint", 405), ("GET", "/inpaint", 404), ("TRACE", "/health", 405)],
)
def test_addresses_that_are_not_there(running: Any, method: str, path: str, status: int) -> None:
    answer = running.http.request(method, path)
    assert answer.status_code in (status, 405)
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["instance"] == f"/api/v1{path}"


def test_the_page_is_served_or_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    from lacuna.web.settings import Settings

    def ask(path: str) -> Any:
        client = TestClient(
            app.create_app(Settings(folder=tmp_path / "projects")), base_url="http://127.0.0.1"
        )
        return client.get(path)

    monkeypatch.setattr(app, "static_folder", lambda: tmp_path / "static")
    missing = ask("/")
    assert missing.status_code == 200
    assert "make web" in missing.text
    (tmp_path / "static" / "assets").mkdir(parents=True)
    (tmp_path / "static" / "index.html").write_text("<!doctype html>page")
    (tmp_path / "static" / "assets" / "a-1.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    assert ask("/").text == "<!doctype html>page"
    script = ask("/assets/a-1.js")
    assert "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]
    for path in ("/../secret", "/%2e%2e/secret", "/assets/../../secret", "/assets/", "/secret"):
        assert ask(path).status_code == 404
