"""The judging page: a small web server for one person on this machine.

Its images can be private and its answers change a file, so it answers only to its own name (another
site could point a name of its own here: DNS rebinding), takes answers only with a token that its page
holds (another site could post a form: CSRF), and serves images by id, never by path.
"""

import re
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from text2image.base.console import InputError, say
from text2image.base.memory import return_freed_memory
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.encode import jpeg
from text2image.pages.decoding import content_of, shown
from text2image.pages.placeholder import placeholder
from text2image.pages.templates import CSS_VARIABLES, TEMPLATES
from text2image.queries.judging.session import GRADES, Session

MAX_SIDE = 640  # pixels
MAX_BODY = 16384  # bytes of an answer
UNKNOWN = "expected the page, one of its parts or an image of the gallery by its id"
SECONDS = 20.0  # that a request may take to arrive
NOTE_CHARACTERS = 500
FRAME = TEMPLATES.get_template("judge/page.html.jinja")
HERE = Path(__file__).parent
ASSETS = {
    "/page.css": ("text/css; charset=utf-8", CSS_VARIABLES + (HERE / "page.css").read_text("utf-8")),
    "/page.js": ("text/javascript; charset=utf-8", (HERE / "page.js").read_text("utf-8")),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """A request that gets an error instead of an answer: a status, and a sentence that says why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Page(ThreadingHTTPServer):
    """The server of one session, at ``host`` and ``port`` (0: any that is free)."""

    daemon_threads = True
    request_queue_size = 128  # connections that wait to be taken: a page asks for many pictures at once

    def __init__(
        self, session: Session, files: Mapping[str, ImageFile], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"expected to listen at {host} port {port}, found: {error}") from None
        self.session, self.files = session, files
        self.names = {host.lower(), "127.0.0.1", "localhost"}
        self.token = secrets.token_urlsafe(32)
        self.lock = threading.Lock()  # the session is for one at a time

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent where a browser has gone away; anything else is a defect and keeps its traceback."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def judge_on_page(session: Session, files: Mapping[str, ImageFile], host: str, port: int) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        InputError: host or port cannot be listened at.
    """
    return_freed_memory()
    with Page(session, files, host, port) as page:
        url = f"http://{host}:{page.server_port}/"
        say(f"judge {session.source} at {url} (Ctrl-C ends; every grade is kept at once)")
        try:
            page.serve_forever()
        except KeyboardInterrupt:
            say("")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Page
    timeout = SECONDS
    server_version, sys_version = "judge", ""

    def log_message(self, *args: object) -> None:
        """Be silent."""

    def do_GET(self) -> None:
        """Answer with the page, one of its parts, or an image of the gallery."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Take an answer and send the browser back to the page."""
        self._answer(self._post)

    def _answer(self, method: Callable[[], None]) -> None:
        try:
            self._check_name()
            method()
        except Refused as refused:
            self._refuse(refused.status, str(refused))
        except InputError as error:  # of the file of judgements: mend it, and load the page again
            say(f"error: {error}")
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        headers = {"Connection": "close", "Content-Type": "text/plain; charset=utf-8"}
        self._send(status, headers, f"{why}\n".encode())

    def _get(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._send_content("text/html; charset=utf-8", self._page())
        elif path in ASSETS:
            self._send_content(*ASSETS[path])
        elif path.startswith("/image/"):
            self._send_image(path.removeprefix("/image/"))
        else:
            raise Refused(HTTPStatus.NOT_FOUND, UNKNOWN)

    def _post(self) -> None:
        if self.path != "/answer":
            raise Refused(HTTPStatus.NOT_FOUND, UNKNOWN)
        form = self._form()
        if not secrets.compare_digest(form.get("token", "").encode(), self.server.token.encode()):
            raise Refused(
                HTTPStatus.FORBIDDEN, "expected the token of the page, found another: load the page again"
            )
        with self.server.lock:
            self._apply(form)
        self._send(HTTPStatus.SEE_OTHER, {"Location": "/"})

    def _check_name(self) -> None:
        """Refuse requests that call this server by a name that is not its own; the port is free (tunnels)."""
        name = re.sub(r":\d+$", "", self.headers.get("Host", "")).lower()
        if name not in self.server.names:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "expected the page's own name in the header Host")

    def _form(self) -> dict[str, str]:
        """Return the fields of a posted form."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(
                HTTPStatus.LENGTH_REQUIRED, "expected the number of the answer's bytes in Content-Length"
            )
        if len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {MAX_BODY} bytes")
        try:
            fields = parse_qs(self.rfile.read(int(length)).decode("utf-8"), max_num_fields=10)
        except ValueError:  # not UTF-8, or too many fields
            raise Refused(HTTPStatus.BAD_REQUEST, "expected a form of at most 10 fields in UTF-8") from None
        return {name: values[0] for name, values in fields.items()}

    def _apply(self, form: Mapping[str, str]) -> None:
        """Do what a form asks for; the same form sent twice does no more than once."""
        session, query = self.server.session, form.get("query", "")
        match form:
            case {"action": "undo"}:
                session.undo()
            case {"action": "skip"}:
                session.skip(query)
            case {"action": "again"}:
                session.return_to_skipped()
            case {"grade": "0" | "1" | "2" | "3" as grade}:
                self._judge(query, form.get("image", ""), int(grade), form.get("note", "")[:NOTE_CHARACTERS])
            case _:
                raise Refused(
                    HTTPStatus.BAD_REQUEST,
                    "expected a grade of 0, 1, 2 or 3, or the action undo, skip or again",
                )

    def _judge(self, query: str, image_id: str, grade: int, note: str) -> None:
        """Keep a grade of an image that is what the catalog saw: a person has seen nothing else."""
        session = self.server.session
        if not session.offers(query, image_id) or image_id not in self.server.files:
            raise Refused(HTTPStatus.BAD_REQUEST, "expected a query and an image that are to be judged")
        try:
            with content_of(self.server.files[image_id]):
                pass
        except InputError as error:
            raise Refused(HTTPStatus.CONFLICT, str(error)) from None
        session.judge(query, image_id, grade, note)

    def _send_image(self, image_id: str) -> None:
        """Send an image of the gallery as a JPEG of bounded size, or a placeholder if its file changed."""
        image = self.server.files.get(image_id)
        if image is None:
            raise Refused(HTTPStatus.NOT_FOUND, UNKNOWN)
        try:
            picture, kept = shown(image, MAX_SIDE), "private, max-age=3600"
        except InputError as error:
            say(f"error: {error}")
            picture, kept = jpeg(placeholder(), MAX_SIDE), "no-store"
        self._send_content("image/jpeg", picture, kept)

    def _page(self) -> str:
        """Return the page of what is to be judged next, which loads the images of the query after it meanwhile."""
        session = self.server.session
        with self.server.lock:
            turn = session.turn()
            following = session.pooled[session.pooled.index(turn.query) + 1 :] if turn else ()
            return FRAME.render(
                session=session,
                turn=turn,
                progress=session.progress(),
                preload=following[0].images if following else (),
                token=self.server.token,
                grades=GRADES,
                note_characters=NOTE_CHARACTERS,
            )

    def _send_content(self, kind: str, content: str | bytes, cache: str = "no-store") -> None:
        body = content.encode("utf-8") if isinstance(content, str) else content
        self._send(HTTPStatus.OK, {"Content-Type": kind, "Cache-Control": cache}, body)

    def _send(self, status: HTTPStatus, headers: Mapping[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers, **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
