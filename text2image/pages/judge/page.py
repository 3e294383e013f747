"""The judging page: a small web server for one person on this machine.

Its images can be private and its answers change a file, so it answers only to its own name (another
site could point a name of its own here: DNS rebinding), takes answers only with a token that its page
holds (another site could post a form: CSRF), and serves images by id, never by path.
"""

import re
import secrets
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from text2image.base.console import InputError, say
from text2image.collection.images import open_image
from text2image.collection.locations import Location
from text2image.labels.openai.encode import jpeg
from text2image.pages.judge.view import NOTE_CHARACTERS, render
from text2image.queries.judging.session import Session

MAX_SIDE = 640  # pixels
MAX_BODY = 16384  # bytes of an answer
SECONDS = 20.0  # that a request may take to arrive
ASSETS = {"/page.css": "text/css", "/page.js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """A request that gets an error instead of an answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Page(ThreadingHTTPServer):
    """The server of one session, at ``host`` and ``port`` (0: any that is free)."""

    daemon_threads = True

    def __init__(
        self, session: Session, files: Mapping[str, Location], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"expected to listen at {host} port {port}, found: {error}") from None
        self.session, self.files, self.host = session, files, host
        self.names = {host.lower(), "127.0.0.1", "localhost"}
        self.token = secrets.token_urlsafe(32)
        self.lock = threading.Lock()  # the session is for one at a time

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.host}:{self.server_port}/"


def judge_on_page(session: Session, files: Mapping[str, Location], host: str, port: int) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        InputError: host or port cannot be listened at.
    """
    with Page(session, files, host, port) as page:
        say(f"judge {session.source} at {page.url} (Ctrl-C ends; every grade is kept at once)")
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
        try:
            self._check_name()
            path = urlsplit(self.path).path
            if path == "/":
                with self.server.lock:
                    html = render(self.server.session, self.server.token)
                self._reply("text/html", html.encode("utf-8"))
            elif path in ASSETS:
                self._reply(ASSETS[path], Path(__file__).with_name(path[1:]).read_bytes())
            elif path.startswith("/image/"):
                self._reply("image/jpeg", self._image(path.removeprefix("/image/")), "private, max-age=3600")
            else:
                raise Refused(HTTPStatus.NOT_FOUND)
        except Refused as refused:
            self._refuse(refused.status)

    def do_POST(self) -> None:
        """Take an answer and send the browser back to the page."""
        try:
            self._check_name()
            if self.path != "/answer":
                raise Refused(HTTPStatus.NOT_FOUND)
            form = self._form()
            if not secrets.compare_digest(form.get("token", "").encode(), self.server.token.encode()):
                raise Refused(HTTPStatus.FORBIDDEN)
            with self.server.lock:
                self._apply(form)
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        except Refused as refused:
            self._refuse(refused.status)

    def _check_name(self) -> None:
        """Refuse requests that call this server by a name that is not its own; the port is free (tunnels)."""
        name = re.sub(r":\d+$", "", self.headers.get("Host", "")).lower()
        if name not in self.server.names:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST)

    def _form(self) -> dict[str, str]:
        """Return the fields of a posted form."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > MAX_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            fields = parse_qs(self.rfile.read(int(length)).decode("utf-8"), max_num_fields=10)
        except ValueError:  # not UTF-8, or too many fields
            raise Refused(HTTPStatus.BAD_REQUEST) from None
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
                note = form.get("note", "")[:NOTE_CHARACTERS]
                session.judge(query, form.get("image", ""), int(grade), note)
            case _:
                raise Refused(HTTPStatus.BAD_REQUEST)

    def _image(self, image_id: str) -> bytes:
        """Return an image of the gallery as a JPEG of bounded size."""
        path = self.server.files.get(image_id)
        if path is None:
            raise Refused(HTTPStatus.NOT_FOUND)
        try:
            return jpeg(open_image(path), MAX_SIDE)
        except InputError as error:
            say(f"error: {error}")
            raise Refused(HTTPStatus.NOT_FOUND) from None

    def _reply(self, kind: str, content: bytes, cache: str = "no-store") -> None:
        """Send a whole answer."""
        self.send_response(HTTPStatus.OK)
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        lines = {"Content-Type": kind + charset, "Content-Length": str(len(content)), "Cache-Control": cache}
        for name, value in (lines | HEADERS).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, status: HTTPStatus) -> None:
        """Send an error and nothing else."""
        self.send_response(status)
        for name, value in ({"Content-Length": "0", "Connection": "close"} | HEADERS).items():
            self.send_header(name, value)
        self.end_headers()
