"""Jobs: events, cancelling, full queues, and workers that die."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lacuna.errors import NotFoundError, QueueFullError
from lacuna.web.lanes import Lane, Worker
from lacuna.web.work import Job


def slow_fill(running: Any, large: bytes) -> Any:
    """Ask for a fill of many seconds."""
    data = {"mask_rle": json.dumps(running.large_box), "settings": json.dumps(running.slow), "wait": "0"}
    return running.http.post("/inpaint", files={"image": large}, data=data)


def events(running: Any, path: str) -> list[tuple[str, dict[str, Any]]]:
    """Return all events until the stream ends."""
    found, name = [], ""
    with running.http.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    return found


def test_events_tell_of_progress_and_end(running: Any, photo: bytes, mask: bytes) -> None:
    job = running.http.post("/inpaint", files={"image": photo, "mask": mask}, data={"wait": "0"}).json()
    told = events(running, f"/jobs/{job['id']}/events")
    assert told[-1][0] == "done"
    assert told[-1][1]["result"]["known_changed"] == 0
    assert all(name == "progress" for name, _ in told[:-1])
    shares = [job["share"] for _, job in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert events(running, f"/jobs/{job['id']}/events")[0][0] == "done"


def test_cancelling_really_stops(running: Any, large: bytes, photo: bytes, mask: bytes) -> None:
    job = running.begun(slow_fill(running, large))
    not_yet = running.http.get(f"/jobs/{job['id']}/result")
    assert (not_yet.status_code, not_yet.json()["code"]) == (409, "NotReadyError")
    heard: list[Any] = []
    listener = threading.Thread(target=lambda: heard.extend(events(running, f"/jobs/{job['id']}/events")))
    listener.start()
    started = time.monotonic()
    ended = running.ok(running.http.delete(f"/jobs/{job['id']}")).json()
    assert ended["state"] == "cancelled"
    assert ended["problem"]["code"] == "Cancelled"
    assert time.monotonic() - started < 6
    listener.join(5)
    assert heard[-1][0] == "cancelled"
    assert running.http.get(f"/jobs/{job['id']}/result").status_code == 409
    again = running.ok(running.http.delete(f"/jobs/{job['id']}")).json()
    assert again["state"] == "cancelled"
    started = time.monotonic()
    running.ok(running.http.post("/inpaint", files={"image": photo, "mask": mask}), 200)
    assert time.monotonic() - started < 20  # the lane is free: nothing goes on behind its back


def test_many_may_cancel_at_once(running: Any, large: bytes) -> None:
    job = running.begun(slow_fill(running, large))
    answers: list[Any] = []

    def cancel() -> None:
        answers.append(running.http.delete(f"/jobs/{job['id']}"))

    threads = [threading.Thread(target=cancel) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(answer.status_code, answer.json()["state"]) for answer in answers} == {(200, "cancelled")}


def test_a_full_queue_says_when_to_come_back(running: Any, large: bytes, photo: bytes, mask: bytes) -> None:
    first = running.begun(slow_fill(running, large))
    small = {"image": photo, "mask": mask}
    waiting = [running.http.post("/inpaint", files=small, data={"wait": "0"}) for _ in range(4)]
    assert [job.json()["position"] for job in waiting] == [1, 2, 3, 4]
    full = running.http.post("/inpaint", files=small)
    assert full.status_code == 429
    assert full.json()["code"] == "QueueFullError"
    assert int(full.headers["retry-after"]) >= 1
    gone = running.ok(running.http.delete(f"/jobs/{waiting[0].json()['id']}")).json()
    assert gone["state"] == "cancelled"
    assert running.http.post("/inpaint", files=small, data={"wait": "0"}).status_code == 202
    running.ok(running.http.delete(f"/jobs/{first['id']}"))
    for answer in waiting[1:]:
        assert running.ended(answer)["state"] == "done"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_worker_fails_its_job_and_the_next_one_runs(
    running: Any, large: bytes, photo: bytes, mask: bytes
) -> None:
    project = running.open(large)["id"]
    job = running.begun(running.fill(project, running.large_box, **running.slow))
    os.kill(running.service.jobs.get(job["id"]).pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while (job := running.http.get(f"/jobs/{job['id']}").json())["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.02)
    assert job["state"] == "failed"
    assert job["problem"]["code"] == "WorkerLostError"
    assert job["problem"]["status"] == 503
    assert "SIGKILL" in job["problem"]["detail"]
    assert running.project(project)["steps"] == []
    running.ok(running.http.post("/inpaint", files={"image": photo, "mask": mask}), 200)
    running.done(running.fill(project, running.large_box, method="telea"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_worker_that_dies_idle_is_replaced(running: Any, photo: bytes, mask: bytes) -> None:
    def worker_of_a_fill() -> int:
        job = running.ended(
            running.http.post("/inpaint", files={"image": photo, "mask": mask}, data={"wait": "0"})
        )
        assert job["state"] == "done", job["problem"]
        return running.service.jobs.get(job["id"]).pid

    first = worker_of_a_fill()
    assert worker_of_a_fill() == first
    os.kill(first, signal.SIGKILL)
    second = worker_of_a_fill()
    assert second != first
    assert worker_of_a_fill() == second


def test_jobs_expire(running: Any, photo: bytes, mask: bytes) -> None:
    job = running.ended(
        running.http.post("/inpaint", files={"image": photo, "mask": mask}, data={"wait": "0"})
    )
    kept = running.service.jobs.get(job["id"])
    kept.finished -= running.settings.job_expiry + 1
    running.service.sweep()
    for path in ("", "/events", "/result"):
        answer = running.http.get(f"/jobs/{job['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "NotFoundError")
    assert not kept.folder.exists()


def test_projects_expire(running: Any, photo: bytes) -> None:
    old, new = running.open(photo)["id"], running.open(photo)["id"]
    folder = running.service.store.find("projects", old)
    then = time.time() - running.settings.expiry - 10
    os.utime(folder, (then, then))
    running.service.sweep()
    assert running.http.get(f"/projects/{old}").status_code == 404
    assert running.http.get(f"/projects/{new}").status_code == 200


def test_a_client_that_goes_away_stops_its_work(
    running: Any, large: bytes, photo: bytes, mask: bytes
) -> None:
    import httpx

    data = {"mask_rle": json.dumps(running.large_box), "settings": json.dumps(running.slow)}
    with pytest.raises(httpx.ReadTimeout):
        running.http.post("/inpaint", files={"image": large}, data=data, timeout=1.0)
    started = time.monotonic()
    running.ok(running.http.post("/inpaint", files={"image": photo, "mask": mask}), 200)
    assert time.monotonic() - started < 20


class Bench:
    """A lane of its own, for limits that other tests do not want."""

    def __init__(self, folder: Path, seconds: float, memory: int | None) -> None:
        self.folder = folder
        self.lane = Lane("bench", limit=1, seconds=seconds, start=lambda: Worker(folder, memory))

    def fill(self, picture: bytes, settings: dict[str, Any]) -> Job:
        (self.folder / "picture").write_bytes(picture)
        how = {
            "method": "auto", "options": {}, "seed": 0, "blend": "hard", "feather": 0.0, "context": 0.5,
            "dilate": 0,
            "invert": False, "resize_mask": False, "format": None, "quality": None, **settings,
        }  # fmt: skip
        args = {
            "image": str(self.folder / "picture"),
            "mask": {"kind": "expression", "text": "box:100,100,300,300"},
            "settings": how, "target": str(self.folder / "out"), "max_pixels": 10**9, "device": "cpu",
        }  # fmt: skip
        return self.lane.submit(Job("inpaint", "inpaint", args))


def test_work_ends_at_the_limits_of_time_and_memory(
    running: Any, large: bytes, tmp_path: Path, as_file: Any
) -> None:
    import numpy as np

    bench = Bench(tmp_path, seconds=1.0, memory=600 << 20)
    try:
        slow = bench.fill(large, running.slow)
        assert slow.wait(30)
        assert slow.problem is not None
        assert slow.problem["code"] == "LimitError"
        assert "1 seconds" in slow.problem["detail"]
        bench.lane.seconds = 60.0
        # 80 megapixels of one colour are a file of 100 kB and more memory than is allowed.
        huge = bench.fill(
            as_file(np.zeros((8000, 10_000, 3), np.uint8), compress_level=1), {"method": "telea"}
        )
        assert huge.wait(30)
        assert huge.problem is not None
        assert huge.problem["code"] in ("DeviceOutOfMemoryError", "LimitError", "WorkerLostError")
        fine = bench.fill(large, {"method": "telea"})
        assert fine.wait(30)
        assert fine.problem is None
    finally:
        bench.lane.close()
    with pytest.raises(Exception, match="stopping"):
        bench.fill(large, {})


def test_a_bug_while_an_answer_is_kept_is_told_and_logged(capfd: pytest.CaptureFixture[str]) -> None:
    for error, code in (
        (KeyError("states"), "InternalError"),
        (NotFoundError("it has gone"), "NotFoundError"),
    ):

        def finish(told: dict[str, Any], error: Exception = error) -> dict[str, Any]:
            raise error

        job = Job("a", "warm", {}, finish=finish)
        job.succeed({})
        assert job.state == "failed"
        assert job.problem is not None
        assert job.problem["code"] == code
        logged = capfd.readouterr().err
        assert ("KeyError: 'states'" in logged) == (code == "InternalError")


def test_a_lane_refuses_more_than_its_limit(tmp_path: Path) -> None:
    lane = Lane("idle", limit=2, seconds=1, start=lambda: Worker(tmp_path, None), workers=0)
    jobs = [lane.submit(Job("a", "warm", {})) for _ in range(2)]
    with pytest.raises(QueueFullError, match="2 requests are waiting for idle"):
        lane.submit(Job("a", "warm", {}))
    assert [lane.position(job) for job in jobs] == [0, 1]
    jobs[0].cancel()
    assert lane.waiting == 1
    lane.close()
    assert all(job.state == "cancelled" for job in jobs)
