"""Servers on loopback that speak the chat protocol nearly, badly, or to harm: one mode each, all in one table."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.support.chat_handler import KEY

GOOD = json.dumps({"caption": "Red shoes on sale", "queries": ["red running shoes"]})
USAGE = {"prompt_tokens": 500, "completion_tokens": 60}
LABEL = "red running shoes"


class HostileServer(ThreadingHTTPServer):
    """A server in one mode; ``bodies`` are the requests that came, ``worked`` counts answers that a model made."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, mode: Mode) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode, self.worked = mode, 0
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.over = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> HostileServer:
        from text2image.labels.openai.ask import LEARNED

        LEARNED.clear()  # of another server, which had this port before
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about clients that hang up, as they should."""


class Handler(BaseHTTPRequestHandler):
    """Reads a request whole, and answers as the mode does."""

    server: HostileServer
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send(200, b"elsewhere")

    def do_POST(self) -> None:
        self.server.paths.append(self.path)
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.mode.reply(self)

    def send(self, status: int, content: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def raw(self, content: bytes) -> None:
        self.wfile.write(content)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def drip(self, content: bytes, seconds: float) -> None:
        """Send one byte after the other, until the test is over."""
        for byte in content:
            if self.server.over.wait(seconds):
                return
            self.raw(bytes([byte]))


Reply = Callable[[Handler], None]


class Mode(NamedTuple):
    """What a server does, and what must come of it.

    Attributes:
        label: the text of each image's only label; None where the run ends with ``error``.
        error: a pattern of the one sentence.
        said: a pattern of what stands on the console besides.
        most: requests for two images, of which each may be tried again twice, at most.
    """

    name: str
    reply: Reply
    label: str | None = None
    error: str = ""
    said: str = ""
    most: int = 6


def says(content: object, usage: object = USAGE, finish: str = "stop", **more: object) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def body(value: object, status: int = 200, kind: str = "application/json", **headers: str) -> Reply:
    """Return a reply of JSON, or of text or bytes as they are."""
    content = (
        value
        if isinstance(value, bytes)
        else value.encode()
        if isinstance(value, str)
        else json.dumps(value).encode()
    )

    def reply(handler: Handler) -> None:
        handler.server.worked += status == 200 and not (
            isinstance(value, dict) and {"error", "detail", "object"} & value.keys()
        )
        handler.send(status, content, kind, **headers)

    return reply


def unless(fine: Callable[[dict[str, Any]], bool], refusal: Reply) -> Reply:
    """Return a reply that is good if a request is as the server wants it."""

    def reply(handler: Handler) -> None:
        (body(says(GOOD)) if fine(handler.server.bodies[-1]) else refusal)(handler)

    return reply


def written(content: bytes, then: Callable[[Handler], None] = Handler.hang_up) -> Reply:
    """Return a reply of raw bytes."""

    def reply(handler: Handler) -> None:
        handler.server.worked += 1
        handler.raw(content)
        then(handler)

    return reply


def bomb(megabytes: int) -> bytes:
    """Return a good answer in front of so many megabytes of blanks, packed."""
    packer = zlib.compressobj(9, wbits=31)
    blanks = b" " * 2**20
    return b"".join([packer.compress(blanks) for _ in range(megabytes)]) + packer.compress(json.dumps(says(GOOD)).encode()) + packer.flush()  # fmt: skip


def blanks_without_end(megabytes: int) -> bytes:
    """Return so many megabytes of blanks in a gzip file of a thousandth of that, whose end is missing."""
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * megabytes  # after a full flush, a block unpacks by itself


def endless(piece: bytes) -> Callable[[Handler], None]:
    def reply(handler: Handler) -> None:
        while not handler.server.over.is_set():
            handler.raw(piece)

    return reply


def redirect(status: int, where: str) -> Reply:
    return lambda handler: handler.send(status, b"", Location=where.format(port=handler.server.server_port))


def nothing(handler: Handler) -> None:
    handler.server.worked += 1
    handler.server.over.wait(60)


def dripping_body(handler: Handler) -> None:
    handler.server.worked += 1
    content = json.dumps(says(GOOD)).encode()
    handler.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
    )
    handler.drip(content, 0.1)


def dripping_head(handler: Handler) -> None:
    handler.server.worked += 1
    handler.raw(b"HTTP/1.1 200 OK\r\n")
    handler.drip(b"X-Padding: 1\r\n" * 1000, 0.1)


def once_then_good(first: Reply) -> Reply:
    def reply(handler: Handler) -> None:
        (first if len(handler.server.bodies) == 1 else body(says(GOOD)))(handler)

    return reply


COPY = '{"caption": "one short sentence", "queries": ["query 1", "query 2"]}'
BRACES = " ".join(f'{{"step": {n}}}' for n in range(25))
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
OF_FORMAT = "response_format is not supported"
TEXTS = [
    Mode("a copy of the form in thoughts", body(says(f"<think>JSON like {COPY}.</think>{GOOD}")), LABEL),
    Mode("25 braces in thoughts", body(says(f"<think>{BRACES}</think>{GOOD}")), LABEL),
    Mode("25 braces, and no mark of thoughts", body(says(f"{BRACES} {GOOD}")), LABEL),
    Mode("an end of thoughts without a beginning", body(says(f"JSON like {GOOD.replace('red', 'old')}.</think>{GOOD}")), LABEL),
    Mode("marks of thoughts in brackets", body(says(f"[THINK]{GOOD.replace('red', 'old')}[/THINK]{GOOD}")), LABEL),
    Mode("an answer before a copy of the form", body(says(f"Here:\n```json\n{GOOD}\n```\nin the form {COPY}")), LABEL),
    Mode("an answer about thoughts", body(says(GOOD.replace("Red", "<think> red"))), LABEL),
    Mode("nothing but a copy of the form", body(says(COPY)), error="2: answer that copies the form", most=2),
    Mode("content in parts", body(says([{"type": "thinking", "thinking": COPY}, {"type": "text", "text": GOOD}])), LABEL),
    Mode("the answer in reasoning_content", body(says(None, reasoning_content=GOOD)), error="2: thoughts without an answer", most=2),
    Mode("thoughts without an end", body(says(f"<think>{GOOD}", finish="length")), error="2: answer cut off", most=2),
    Mode("a million braces", body(says("{" * 10**6)), error="2: malformed answer", most=2),
    Mode("an answer behind a million braces", body(says("{" * 10**6 + GOOD)), LABEL),
    Mode("objects without an end", body(says('{"a":' * 200_000)), error="2: malformed answer", most=2),
    Mode("beginnings of thoughts without an end", body(says("<think>" * 200_000)), error="2: thoughts without an answer", most=2),
    Mode("bytes that are no UTF-8", body(json.dumps(says(GOOD)).replace("Red", "R\udcff").encode("utf-8", "surrogateescape")), LABEL),
    Mode("a byte order mark", body(f"\ufeff{json.dumps(says(GOOD))}"), LABEL),
    Mode("the key in the answer", body(says(GOOD.replace("Red", KEY).replace("red running", KEY))), "[OPENAI_API_KEY] shoes"),
]  # fmt: skip
REASONS = [
    Mode("200 with an error", body({"error": {"message": "vision add-on is not loaded"}}), error="vision add-on is not loaded", most=1),
    Mode("200 with an error of another form", body({"object": "error", "message": "no images here"}), error="an error instead of an answer: no images here", most=1),
    Mode("200 with a detail", body({"detail": "no images here"}), error="an error instead of an answer: no images here", most=1),
    Mode("200 with an error of a moment", once_then_good(body({"error": {"message": "overloaded, try again", "code": 503}})), LABEL, said="overloaded"),
    Mode("400, the error is a text", body({"error": "model does not support images"}, 400), error="status 400: model does not support images", most=1),
    Mode("400 behind a byte order mark", body(f'\ufeff{json.dumps({"error": "no images"})}', 400), error="status 400: no images", most=1),
    Mode("404, no such model", body({"error": {"message": "model 'x' not found, try pulling it first"}}, 404), error="status 404: model 'x' not found", most=1),
    Mode("500 that lasts", body({"error": {"message": "model requires more system memory"}}, 500), error="status 500: model requires more system memory", most=3),
    Mode("500 as plain text", body("CUDA out of memory\n", 500, "text/plain"), error="status 500: CUDA out of memory", most=3),
    Mode("501 as HTML", body("<html><head><title>x</title></head><body><h1>Images are not supported</h1><script>1</script></body></html>", 501, "text/html"), error="status 501: Images are not supported", most=3),
    Mode("500 without a reason", body(b"", 500), error="status 500"),
    Mode("500 of many megabytes", body("x" * 20_000_000, 500, "text/plain"), error="larger than any may be"),
    Mode("a list of details", body({"detail": [{"loc": ["body", "messages", 0], "msg": "Input should be a string"}]}, 422), error="status 422: body.messages.0: Input should be a string", most=1),
    Mode("a reason with an escape sequence", body({"error": "\x1b[31mno\r\nimages"}, 400), error=r"status 400: \\x1b\[31mno images", most=1),
    Mode("a reason of a megabyte", body({"error": "no " * 400_000}, 400), error="status 400: no no .{,200}…", most=1),
    Mode("the key in a reason", body({"error": f"wrong key {KEY}"}, 400), error=r"wrong key \[OPENAI_API_KEY\]", most=1),
    Mode("the key in a refusal of it", body({"error": {"message": f"wrong key {KEY}"}}, 401), error="refuses it", most=1),
    Mode("a wait of years", body({"error": "slow"}, 429, Retry_After="1e9"), error="asks to wait 1000000000 s", most=1),
    Mode("a wait that is no number", once_then_good(body({"error": "slow"}, 429, Retry_After="nan")), LABEL),
]  # fmt: skip
DIALECTS = [
    Mode("no response_format", unless(lambda asked: "response_format" not in asked, body({"detail": OF_FORMAT}, 422)), LABEL, said="does not take response_format json_object", most=4),
    Mode("json_object alone", unless(lambda asked: asked.get("response_format") == {"type": "json_object"}, body({"error": "json_schema is not supported"}, 400)), LABEL, said="asked with json_object from now on", most=3),
    Mode("max_completion_tokens alone", unless(lambda asked: "max_completion_tokens" in asked, body({"error": {"message": "use max_completion_tokens"}}, 400)), LABEL, said="does not take max_tokens", most=3),
    Mode("no detail", unless(lambda asked: "detail" not in str(asked["messages"]), body({"error": "unknown field: detail"}, 400)), LABEL, said="does not take detail", most=3),
    Mode("nothing that is asked", body({"error": "response_format, max_tokens and detail are not supported"}, 400), error="status 400: response_format, max_tokens and detail", most=5),
]  # fmt: skip
USAGES = [
    Mode("usage of nothing", body(says(GOOD, {"prompt_tokens": 0, "completion_tokens": 0})), LABEL, said="tokens of 2 requests are estimated"),
    Mode("usage of less than can be", body(says(GOOD, {"prompt_tokens": 1, "completion_tokens": 1})), LABEL),
    Mode("usage below nothing", body(says(GOOD, {"prompt_tokens": -500, "completion_tokens": -60})), LABEL),
    Mode("usage that is no number", body(says(GOOD, {"prompt_tokens": "9" * 99, "completion_tokens": True})), LABEL),
    Mode("no usage", body(says(GOOD, None)), LABEL),
]  # fmt: skip
TRANSPORT = [
    Mode("a bomb", body(bomb(200), Content_Encoding="gzip"), error="larger than any may be"),
    Mode("a bomb in a bomb", body(gzip.compress(bomb(50)), Content_Encoding="gzip, gzip"), error="packed as"),
    Mode("packed as nobody asked", body(json.dumps(says(GOOD)), Content_Encoding="br"), error="packed as 'br'"),
    Mode("packed badly", body(b"\x1f\x8b" + b"x" * 99, Content_Encoding="gzip"), error="cannot be unpacked"),
    Mode("packed", body(gzip.compress(json.dumps(says(GOOD)).encode()), Content_Encoding="gzip"), LABEL),
    Mode("a body without an end", written(CHUNKED, endless(b"10000\r\n" + b" " * 65536 + b"\r\n")), error="larger than any may be"),
    Mode("a head without an end", written(HEAD, endless(b"X: " + b"x" * 4000 + b"\r\n")), error="connection lost"),
    Mode("a promise of a terabyte", written(HEAD + b"Content-Length: 1000000000000\r\n\r\n{"), error="connection lost"),
    Mode("another protocol", written(b"SSH-2.0-OpenSSH_9.6\r\n"), error="connection lost"),
    Mode("a redirect to another host", redirect(307, "http://localhost:{port}/v1/chat/completions"), error=r"a redirect to http://localhost:\d+/v1/chat/completions, which is not followed", most=1),
    Mode("a redirect to itself", redirect(302, "/v1/other"), error="a redirect to /v1/other, which is not followed", most=1),
    Mode("a redirect to nowhere", redirect(308, "http://[bad"), error=r"a redirect to http://\[bad, which is not followed", most=1),
    Mode("HTML instead of an answer", body("<html>busy</html>", kind="text/html"), error="unreadable answer"),
    Mode("an empty answer", body(b""), error="unreadable answer"),
    Mode("half an answer", body(json.dumps(says(GOOD))[:60]), error="unreadable answer"),
    Mode("JSON too deep", body("[" * 10**5 + "]" * 10**5), error="unreadable answer"),
    Mode("no choice", body({"choices": []}), error="unreadable answer"),
    Mode("choices of another kind", body({"choices": {"0": 1}}), error="unreadable answer"),
    Mode("no message", body({"choices": [{"message": None}]}), error="unreadable answer"),
    Mode("a stream of events", body("data: " + json.dumps(says(GOOD)) + "\n\n", kind="text/event-stream"), error="unreadable answer"),
]  # fmt: skip
SLOW = [
    Mode("no answer at all", nothing, error="no answer in time"),
    Mode("a byte in a while", dripping_body, error="no answer in time"),
    Mode("a byte of the head in a while", dripping_head, error="no answer in time"),
    Mode("nothing but promises to go on", written(b"", endless(b"HTTP/1.1 100 Continue\r\n\r\n")), error="no answer in time"),
]  # fmt: skip
FAST = [*TEXTS, *REASONS, *DIALECTS, *USAGES, *TRANSPORT]
