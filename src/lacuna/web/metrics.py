"""Counts and their text for Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Counts:
    """What happened since the start; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[Labels] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._jobs: Counter[Labels] = Counter()
        self._job_seconds: Counter[str] = Counter()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        known = method if method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS") else "other"
        with self._lock:
            self._requests[("method", known), ("route", route), ("status", str(status))] += 1
            for bucket in BUCKETS:
                self._buckets[route, bucket] += seconds <= bucket
            self._seconds[route] += seconds  # type: ignore[assignment]  # a Counter adds floats as well

    def job(self, kind: str, state: str, seconds: float) -> None:
        """Count a job that has ended."""
        with self._lock:
            self._jobs[("kind", kind), ("state", state)] += 1
            self._job_seconds[kind] += seconds  # type: ignore[assignment]

    def text(self, gauges: Iterable[tuple[str, str, Mapping[Labels, float]]]) -> str:
        """Return all of it, with values that are measured now.

        Parameters
        ----------
        gauges : name, help, and value by labels.
        """
        with self._lock:
            lines = _family("lacuna_requests_total", "counter", "Requests answered.", self._requests)
            lines += self._histogram()
            lines += _family("lacuna_jobs_total", "counter", "Jobs that have ended.", self._jobs)
            seconds: dict[Labels, float] = {
                (("kind", kind),): value for kind, value in self._job_seconds.items()
            }
            lines += _family("lacuna_job_seconds_total", "counter", "Seconds that jobs ran.", seconds)
        for name, words, values in gauges:
            lines += _family(name, "gauge", words, values)
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "lacuna_request_seconds"
        lines = [f"# HELP {name} Seconds until a request was answered whole.", f"# TYPE {name} histogram"]
        totals: Counter[str] = Counter()
        for labels, count in self._requests.items():
            totals[dict(labels)["route"]] += count
        for route, total in sorted(totals.items()):
            for bucket in BUCKETS:
                labels = (("route", route), ("le", f"{bucket:g}"))
                lines.append(f"{name}_bucket{_labels(labels)} {self._buckets[route, bucket]}")
            lines.append(f"{name}_bucket{_labels((('route', route), ('le', '+Inf')))} {total}")
            lines.append(f"{name}_sum{_labels((('route', route),))} {self._seconds[route]:.6f}")
            lines.append(f"{name}_count{_labels((('route', route),))} {total}")
        return lines


def _family(name: str, kind: str, words: str, values: Mapping[Labels, float]) -> list[str]:
    lines = [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
    return lines + [f"{name}{_labels(labels)} {value:g}" for labels, value in sorted(values.items())]


def _labels(labels: Labels) -> str:
    r"""Return labels as the format writes them.

    Examples
    --------
    >>> _labels((("route", 'a"b'),)), _labels(())
    ('{route="a\\"b"}', '')
    """
    escaped = [
        (name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for name, value in labels
    ]
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}" if labels else ""
