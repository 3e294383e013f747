"""Who may ask the page for what: everything else is refused before Gradio sees it.

Gradio by itself answers to any host name, takes posts from any site, serves files of its folders and
fetches addresses that a caller names. The images can be private and the judgements change a file, so
here only the routes that the page needs are open, under the page's own name, to the page itself.
"""

import asyncio
import json
import re
from http import HTTPStatus
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from text2image.base.console import one_line

PICTURE = "/picture"
MAX_PICTURE = 16 * 1024 * 1024  # bytes of a picture that is searched for
MAX_CALL = 64 * 1024  # bytes of any other post
SECONDS = 20.0  # that the upload of a picture may take
PAGE = "/"
READ = {PAGE, "/favicon.ico", "/theme.css", "/manifest.json", "/gradio_api/queue/data"}
READ_BELOW = ("/assets/", "/static/", "/image/", "/gradio_api/heartbeat/")
CALLS = QUEUE, COMPONENT = "/gradio_api/queue/join", "/gradio_api/component_server/"
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


SENTENCES = {
    HTTPStatus.MISDIRECTED_REQUEST: "expected the page's own name in the header Host",
    HTTPStatus.FORBIDDEN: "expected a request of the page itself, found one from elsewhere",
    HTTPStatus.NOT_FOUND: "expected the page or one of its parts",
    HTTPStatus.LENGTH_REQUIRED: "expected the number of bytes in the header Content-Length",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"expected a picture of at most {MAX_PICTURE // 1024**2} MB",
}
"""Why requests are refused, by the status that they get."""

Number = Annotated[int, Field(ge=0, le=1_000_000)]
Name = Annotated[str, Field(max_length=100)]


class EventData(BaseModel):
    """What an event tells besides: the query or picture of a click, or the choice of a system."""

    model_config = ConfigDict(strict=True, extra="forbid")
    query: str | None = None
    picture: str | None = None
    index: int | None = None
    value: str | None = None
    selected: bool | None = None


class QueueCall(BaseModel):
    """What the page sends to have a control's function run: texts, and None for what the server keeps itself."""

    model_config = ConfigDict(strict=True, extra="forbid")
    data: Annotated[list[str | None], Field(max_length=10)]
    fn_index: Number
    session_hash: Name
    event_data: EventData | None = None
    trigger_id: int | None = None


class Grade(BaseModel):
    """A grade of an image for a text."""

    model_config = ConfigDict(strict=True, extra="forbid")
    query: str
    image: str
    grade: Annotated[int, Field(ge=0, le=3)]


class GradeCall(BaseModel):
    """What the page sends to keep a grade."""

    model_config = ConfigDict(strict=True, extra="forbid")
    data: Grade
    component_id: Number
    fn_name: Name
    session_hash: Name


CALL_FORMS: dict[str, type[BaseModel]] = {QUEUE: QueueCall, COMPONENT: GradeCall}


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
        if refused is not None:
            await refusal(refused, SENTENCES[refused])(scope, receive, _with_headers(send))
            return
        if scope["path"] in CALLS:
            body = await _read_body(receive, int(headers["content-length"]))
            if problem := _problem(scope["path"], body):
                await refusal(HTTPStatus.BAD_REQUEST, problem)(scope, receive, _with_headers(send))
                return
            receive = _replay(body, receive)
        await self.app(scope, receive, _with_headers(send))

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


async def receive_body(request: Request, file: IO[bytes]) -> Response | None:
    """Write the body of a request into a file; return the answer to one that does not come whole and in time."""
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                file.write(chunk)
    except TimeoutError:
        return refusal(HTTPStatus.REQUEST_TIMEOUT, f"expected the whole picture within {SECONDS:.0f} s")
    except ClientDisconnect:  # nobody reads the answer, but there is no traceback
        return refusal(HTTPStatus.BAD_REQUEST, "expected the whole picture, found a part")
    except OSError as error:
        why = f"expected a disk that takes the picture, found: {error.strerror}"
        return refusal(HTTPStatus.INSUFFICIENT_STORAGE, why)
    return None


def refusal(status: HTTPStatus, why: str) -> Response:
    """Return the answer to what is refused: a sentence, as the page's own calls have it."""
    return JSONResponse({"error": why}, status, headers={"Connection": "close"})


def _problem(path: str, body: bytes) -> str:
    """Say what is wrong with a call; "" for nothing. Gradio would read other things than texts as files to fetch.

    Types are strict: ``true`` is no grade, nor are ``3.0`` and ``"3"``.
    """
    try:
        call = json.loads(body, parse_constant=_no_number)
        CALL_FORMS[path].model_validate(call)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the call"
        return one_line(f"expected a call as the page makes it, found at {where}: {first['msg']}")
    except (ValueError, RecursionError):  # no JSON, a number that is none, or deeply nested
        return "expected a call as the page makes it, in JSON, found something else"
    return ""


def _no_number(name: str) -> None:
    raise ValueError(name)


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
