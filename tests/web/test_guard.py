"""Who may ask, from where, how much and how slowly."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from lacuna.errors import ConfigError
from lacuna.web import guard, metrics
from lacuna.web.settings import Settings

TOKEN = "a token of some length"  # noqa: S105


def settings(tmp_path: Path, **how: Any) -> Settings:
    return Settings(folder=tmp_path, **how)


class Inner:
    """An application that reads the body and says how long it was."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        got = 0
        while True:
            message = await receive()
            got += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(got).encode()})


class Forgiving(Inner):
    """One that takes every fault of the body for its own, as form parsers do."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except Exception:
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"bad body"})


def ask(
    gate: guard.Guard,
    path: str = "/api/v1/limits",
    method: str = "GET",
    url: str = "http://127.0.0.1",
    **how: Any,
) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url=url) as client:
            return await client.request(method, path, **how)

    return asyncio.run(go())


@pytest.fixture
def local(tmp_path: Path) -> guard.Guard:
    return guard.Guard(Inner(), settings(tmp_path), metrics.Counts())


@pytest.fixture
def public(tmp_path: Path) -> guard.Guard:
    return guard.Guard(Inner(), settings(tmp_path, host="::", token=TOKEN), metrics.Counts())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "localhost:1", "[::1]:80", "LOCALHOST"])
def test_the_machines_own_names_are_known(local: guard.Guard, host: str) -> None:
    assert ask(local, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "[", "a b"])
def test_a_foreign_name_that_points_here_is_refused(local: guard.Guard, host: str) -> None:
    answer = ask(local, headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "AccessError"
    assert answer.json()["status"] == 421


def test_further_names_can_be_allowed(tmp_path: Path) -> None:
    gate = guard.Guard(Inner(), settings(tmp_path, allowed_hosts=("photos.example",)), metrics.Counts())
    assert ask(gate, headers={"host": "photos.example"}).status_code == 200
    assert ask(gate, headers={"host": "other.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:99"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, 403),
    ],
)
def test_other_sites_are_refused(local: guard.Guard, headers: dict[str, str], status: int) -> None:
    assert ask(local, method="POST", headers=headers).status_code == status


def test_a_link_from_another_site_may_be_followed(local: guard.Guard) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask(local, "/", headers=headers).status_code == 200
    assert ask(local, method="POST", headers=headers).status_code == 403


def test_the_token_opens_the_api(public: guard.Guard) -> None:
    for headers in (
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"{guard.COOKIE}=wrong"},
        {"cookie": "; = ;;\x7f"},
        {"authorization": b"Bearer \xe9"},
    ):
        answer = ask(public, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "AccessError"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ask(public, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert ask(public, headers={"cookie": f'{guard.COOKIE}="{TOKEN}"'}).status_code == 200
    # The page itself and what tells it that a token is needed are open.
    assert ask(public, "/").status_code == 200
    assert ask(public, "/api/v1/health").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/limits",
        "/API/v1/limits",
        "/%61pi/v1/limits",
        "/x/../api/v1/limits",
        "/api//v1/limits",
        "/./api/v1/limits",
    ],
)
def test_no_way_around_the_token(tmp_path: Path, path: str) -> None:
    from lacuna.web.app import create_app

    app = create_app(settings(tmp_path, host="::", token=TOKEN))
    for method in ("GET", "HEAD"):
        answer = ask(app, path, method, follow_redirects=False)
        assert answer.status_code in (401, 404)
        assert b"max_pixels" not in answer.content


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(guard.hmac, "compare_digest", lambda a, b: asked.append((a, b)) or False)
    assert not guard.same("x", TOKEN)
    assert asked == [(b"x", TOKEN.encode())]


def test_an_address_that_others_reach_needs_a_token(tmp_path: Path) -> None:
    for host in ("192.168.1.5", "::", "photos.example"):
        with pytest.raises(ConfigError, match="token"):
            settings(tmp_path, host=host)
        settings(tmp_path, host=host, token=TOKEN)
    with pytest.raises(ConfigError, match="16 characters"):
        settings(tmp_path, token="short")  # noqa: S106
    for wrong in (
        {"port": 70_000},
        {"queue": 0},
        {"max_seconds": -1.0},
        {"devices": ()},
        {"devices": ("gpu",)},
        {"devices": ("cpu", "cpu")},
    ):
        with pytest.raises(ConfigError):
            settings(tmp_path, **wrong)


def test_every_answer_has_its_headers(local: guard.Guard) -> None:
    answer = ask(local, "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    asked = {"origin": "http://127.0.0.1", "access-control-request-method": "POST"}
    for method in ("OPTIONS", "GET"):
        answer = ask(local, method=method, headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("inner", [Inner, Forgiving])
def test_bodies_have_a_limit(tmp_path: Path, inner: type[Inner]) -> None:
    gate = guard.Guard(inner(), settings(tmp_path, max_bytes=1000), metrics.Counts())
    assert ask(gate, method="POST", content=b"x" * 1000).text == "1000"
    answer = ask(gate, method="POST", content=b"x" * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "LimitError")

    async def pieces() -> Any:
        for _ in range(20):
            yield b"x" * 100

    answer = ask(gate, method="POST", content=pieces())  # no length is said beforehand
    assert (answer.status_code, answer.json()["code"]) == (413, "LimitError")
    for length in ("-5", "1e3", "99999999999999999999"):
        assert ask(gate, method="POST", content=b"x", headers={"content-length": length}).status_code == 413


@pytest.mark.parametrize("inner", [Inner, Forgiving])
def test_slow_bodies_are_given_up(tmp_path: Path, inner: type[Inner]) -> None:
    gate = guard.Guard(inner(), settings(tmp_path, upload_seconds=0.2), metrics.Counts())

    async def drops() -> Any:
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    answer = ask(gate, method="POST", content=drops())
    assert answer.status_code == 408
    assert "upload" in answer.json()["detail"]


def test_a_cookie_is_given_for_the_token(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    monkeypatch.setattr(running.service, "settings", dataclasses.replace(running.settings, token=TOKEN))
    wrong = running.http.post("/session", json={"token": "wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "AccessError")
    right = running.ok(running.http.post("/session", json={"token": TOKEN}), 204)
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    told = running.http.get("/health").json()
    assert told["token_required"] is True
    assert told["authorized"] is True
    running.http.cookies.clear()
    assert running.http.get("/health").json()["authorized"] is False


def test_half_a_request_does_not_hold_up_others(running: Any) -> None:
    address = ("127.0.0.1", running.settings.port)
    head = b"POST /api/v1/inpaint HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    with socket.create_connection(address) as one, socket.create_connection(address) as two:
        one.sendall(head)
        two.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: ")
        assert running.http.get("/health").status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /api/v1/inpaint HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /%2e%2e%2f%2e%2e%2fetc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /assets/..\\..\\etc HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET " + b"/a" * 60_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_raw_nonsense_gets_an_error_and_no_file(running: Any, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.settings.port), timeout=5) as line:
        line.sendall(raw)
        line.settimeout(3)
        answer = b""
        try:
            while part := line.recv(65_536):
                answer += part
                if b"\r\n\r\n" in answer:
                    break
        except TimeoutError:
            pass
        except ConnectionError:
            pass
    assert b"root:" not in answer
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert b" 500 " not in answer.split(b"\r\n")[0]
