"""Before every request: who may ask, from where, how much, how slowly; after it: the headers of answers."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lacuna.errors import AccessError, LimitError
from lacuna.web import metrics
from lacuna.web.problems import MEDIA_TYPE, problem
from lacuna.web.settings import Settings, is_loopback

COOKIE = "lacuna_token"
API = "/api/v1"
OPEN = (f"{API}/health", f"{API}/session")
"""Parts of the API that need no token."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that gets an answer before any route sees it."""

    def __init__(self, status: int, error: Exception) -> None:
        super().__init__(str(error))
        self.status, self.error = status, error


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, settings: Settings, counts: metrics.Counts) -> None:
        self.app, self.settings, self.counts = app, settings, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at a request, pass it on or refuse it, and count it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        begun = False
        refusal: list[Refused] = []

        async def sending(message: Message) -> None:
            nonlocal status, begun
            if refusal and not begun:
                return  # somebody inside took the end of the body for a fault of its own
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            headers = Headers(scope=scope)
            self._check(scope, headers)
            await self.app(scope, self._limited(headers, receive, refusal), sending)
        except Refused as refused:
            refusal.append(refused)
        finally:
            if refusal and not begun:
                first = refusal[0]
                refusal.clear()
                await _answer(scope, sending, first)
            route = getattr(scope.get("route"), "path", "other")
            self.counts.request(scope["method"], route, status, time.perf_counter() - started)

    def _check(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host", "")
        if not self.known_host(host):
            words = (
                f"this server is not called {host[:80]!r}; use its address, or start it with --allowed-host"
            )
            raise Refused(421, AccessError(words))
        if not same_site(scope["method"], headers, host):
            raise Refused(403, AccessError("another site sent this request; use the server's own page"))
        path = scope["path"]
        if path.startswith(API) and path not in OPEN and not self.authorized(headers):
            words = "the token is missing or wrong; send it as 'Authorization: Bearer TOKEN'"
            raise Refused(401, AccessError(words))

    def known_host(self, host: str) -> bool:
        """Say whether the server is meant by a ``Host`` header: another site may have its name point here."""
        name = hostname(host)
        if name in self.settings.allowed_hosts:
            return True
        if is_loopback(self.settings.host):
            return name in _LOCAL
        # With a token, a foreign name gets nothing: its page does not know the token, nor has it the cookie.
        return True

    def authorized(self, headers: Headers) -> bool:
        """Say whether a request shows the token."""
        token = self.settings.token
        if token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        shown = given.strip() if kind.lower() == "bearer" else _cookie(headers)
        return same(shown, token)

    def _limited(self, headers: Headers, receive: Receive, refusal: list[Refused]) -> Receive:
        """Return a receiver that gives up on bodies that are too large or too slow."""
        most, seconds = self.settings.max_bytes, self.settings.upload_seconds
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > most:
            raise Refused(413, _too_large(most))
        deadline, got, done = time.monotonic() + seconds, 0, False

        async def limited() -> Message:
            nonlocal got, done
            if done:  # what comes now is the end of the connection, whenever
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(deadline - time.monotonic(), 0.0))
            except TimeoutError as error:
                words = f"the upload took longer than {seconds:g} seconds; send it over a quicker connection"
                refusal.append(Refused(408, LimitError(words)))
                raise refusal[-1] from error
            if message["type"] == "http.request":
                got += len(message.get("body", b""))
                done = not message.get("more_body", False)
                if got > most:
                    refusal.append(Refused(413, _too_large(most)))
                    raise refusal[-1]
            return message

        return limited


def hostname(host: str) -> str:
    """Return the name in a ``Host`` header, without its port.

    Examples
    --------
    >>> hostname("127.0.0.1:8765"), hostname("[::1]:80"), hostname("EXAMPLE.org")
    ('127.0.0.1', '::1', 'example.org')
    """
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def same_site(method: str, headers: Headers, host: str) -> bool:
    """Say whether a request comes from the server's own page, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        # A link to the page may be followed from anywhere; a form may not be sent.
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return followed and method == "GET"
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def same(given: str, token: str) -> bool:
    """Compare in a time that does not tell how much of the token was right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode("utf-8"))


def _cookie(headers: Headers) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _too_large(most: int) -> LimitError:
    return LimitError(
        f"the request is larger than {most / 1e6:.0f} MB, the limit of this server; send smaller files"
    )


async def _answer(scope: Scope, send: Send, refused: Refused) -> None:
    body = problem(refused.error) | {"status": refused.status, "instance": scope["path"]}
    headers: Iterable[tuple[bytes, bytes]] = [
        (b"content-type", MEDIA_TYPE.encode()),
        # Whatever else was being sent is not read: the connection ends here.
        (b"connection", b"close"),
    ]
    if refused.status == 401:
        headers = [*headers, (b"www-authenticate", b'Bearer realm="lacuna"')]
    await send({"type": "http.response.start", "status": refused.status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
