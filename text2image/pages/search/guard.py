"""Who may ask the page for what: everything else is refused before Gradio sees it.

Gradio by itself answers to any host name, takes posts from any site, serves files of its folders and
fetches addresses that a caller names. The images can be private and the judgements change a file, so
here only the routes that the page needs are open, under the page's own name, to the page itself.
"""

import json
import re
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PICTURE = "/picture"
MAX_PICTURE = 16 * 1024 * 1024  # bytes of a picture that is searched for
MAX_CALL = 64 * 1024  # bytes of any other post
PAGE = "/"
READ = {PAGE, "/favicon.ico", "/theme.css", "/manifest.json", "/gradio_api/queue/data"}
READ_BELOW = ("/assets/", "/static/", "/image/", "/gradio_api/heartbeat/")
CALLS = {"/gradio_api/queue/join", "/gradio_api/component_server/"}
HEADERS = {
    # Gradio's frontend needs inline styles and scripts, and compiles its templates.
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """An ASGI app before another; ``host`` is where the page listens, and a name that it answers to."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.names = {host.lower(), "127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with an error and nothing else."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(scope["method"], scope["path"], headers)
        if refused is None and scope["path"] in CALLS:
            body = await _read_body(receive, int(headers["content-length"]))
            refused = None if _has_plain_data(body) else HTTPStatus.BAD_REQUEST
            receive = _replay(body, receive)
        error = Response(status_code=refused, headers={"Connection": "close"}) if refused else None
        await (error or self.app)(scope, receive, _with_headers(send))

    def _refusal(self, method: str, path: str, headers: dict[str, str]) -> HTTPStatus | None:
        """Return why a request is refused; None for one that is not."""
        host = headers.get("host", "").lower()
        name = re.sub(r":\d+$", "", host).strip("[]")  # the port is free: tunnels
        if name not in self.names:  # somebody else's name may point here: DNS rebinding
            return HTTPStatus.MISDIRECTED_REQUEST
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host:
            return HTTPStatus.FORBIDDEN
        if path != PAGE and headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return HTTPStatus.FORBIDDEN
        if method in {"GET", "HEAD"}:
            is_open = path in READ or path.startswith(READ_BELOW)
            return None if is_open and ".." not in path else HTTPStatus.NOT_FOUND
        if method != "POST" or path not in {*CALLS, PICTURE}:
            return HTTPStatus.NOT_FOUND
        if origin is None:  # browsers always name it
            return HTTPStatus.FORBIDDEN
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return HTTPStatus.LENGTH_REQUIRED
        too_long = int(length) > (MAX_PICTURE if path == PICTURE else MAX_CALL)
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_long else None


async def _read_body(receive: Receive, length: int) -> bytes:
    """Return the body of a request, at most ``length`` bytes and one message more."""
    body = b""
    while len(body) <= length:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


def _has_plain_data(body: bytes) -> bool:
    """Say whether a call's data are texts and numbers: Gradio reads other things as files to fetch."""
    try:
        call = json.loads(body)
    except ValueError:
        return False
    data = call.get("data") if isinstance(call, dict) else None
    values = list(data.values()) if isinstance(data, dict) else data
    return isinstance(values, list) and all(isinstance(value, str | int | float | None) for value in values)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body that was read already, then what follows."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return with_headers
