"""Requests made from the OpenAPI document: whatever is sent, the server does not fail."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = 6
"""For each route; hypothesis makes others each time the API changes."""


def test_no_request_makes_the_server_fail(running: Any, photo: bytes, mask: bytes) -> None:
    project = running.open(photo)["id"]
    step = running.done(running.fill(project, running.box))["step"]
    batch = running.http.post("/batches", json={}).json()["id"]
    job = running.http.post("/inpaint", files={"image": photo, "mask": mask}, data={"wait": "0"}).json()["id"]
    # Made-up names and files lead nowhere: half of the requests get some that are there.
    real = {"project": project, "step": step, "version": "current", "batch": batch, "job": job}
    schema = schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json")
    pictures = dict.fromkeys(("image", "before", "after", "guide"), photo) | dict.fromkeys(
        ("mask", "sources"), mask
    )
    spoiling = ("mask_rle", "expression", "settings", "sources", "sources_rle", "sketch", "sketch_rle")
    seen, turn = 0, itertools.count()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):  # a stream that ends with its job; see test_jobs
            continue
        seen += 1

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            if next(turn) % 2:
                names = case.path_parameters or {}
                if case.method != "DELETE":
                    case.path_parameters = names | {name: real[name] for name in names if name in real}
                if isinstance(case.body, dict):
                    kept = {name: value for name, value in case.body.items() if name not in spoiling}
                    case.body = kept | (pictures if case.media_type == "multipart/form-data" else {})
            answer = case.call(timeout=30)
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0] == "application/problem+json"
                assert answer.json()["status"] == answer.status_code

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ask()
    assert seen > 35
