"""A server on loopback that speaks chat completions, files and batches, and is strict about both sides.

It checks every request as the service would, fails as often as it is told to, by a hash of image and
attempt so that runs can be compared, and keeps a log.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

KEY = f"sk-test-{secrets.token_hex(12)}"
ALLOWED = {"model", "messages", "response_format", "max_tokens", "max_completion_tokens"}


class Bad(Exception):
    """A request that the service would refuse, with its status."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Script:
    """What the server does besides answering. Outcomes are 429, 500, "drop", "slow",
    "garbage", "quota" or None (fine).

    Attributes:
        outcome: what happens to an attempt (from 0) at an image, named by the hash of its bytes.
        content: what the model says of an image: a string, or {"refusal": …}.
        hold_after: from so many finished answers on, further requests hang, until this changes: then
            they are dropped.
        batches: what happens to the first, second … batch: "expire", "partly", "fail", "hang".
        delay: seconds that the model thinks.
        polls: looks at a batch until it has ended.
    """

    outcome: Callable[[str, int], Any] = lambda image, attempt: None
    content: Callable[[str], Any] = lambda image: json.dumps(texts(image))
    hold_after: int | None = None
    retry_after: str = "0.05"
    delay: float = 0.0
    batches: list[str] = field(default_factory=list)
    polls: int = 2
    usage: tuple[int, int] = (400, 30)


def texts(image: str) -> dict[str, Any]:
    """Return what the model says of an image if nothing else is scripted."""
    return {"caption": f"A picture {image[:6]}.", "queries": [f"query {image[:6]}", f"thing {image[6:8]}"]}


def rolls(image: str, attempt: int) -> int:
    """Return a number from 0 to 99 that only depends on its arguments."""
    return int(hashlib.sha256(f"{image} {attempt}".encode()).hexdigest(), 16) % 100


class ChatServer(ThreadingHTTPServer):
    """The server; use as a context manager. ``log`` holds ``(kind, image or id, outcome)``."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, model: str = "test-model", max_side: int = 512) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model, self.max_side, self.script = model, max_side, Script()
        self.log: list[tuple[str, str, Any]] = []
        self.sent: dict[str, bytes] = {}
        self.attempts: Counter[str] = Counter()
        self.finished: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.in_flight = self.most_in_flight = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about clients that were killed."""

    def wait_until(self, done: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for something to happen here."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, f"waited {seconds} s in vain, log: {self.log[-5:]}"
            time.sleep(0.01)

    def check_chat(self, body: Any) -> str:
        """Return the hash of the image that a chat request is about, if nothing is wrong with it."""
        if not isinstance(body, dict) or not body.keys() <= ALLOWED:
            raise Bad(400, f"unknown arguments: {sorted(set(body) - ALLOWED)}")
        if body["model"] != self.model:
            raise Bad(404, f"The model {body['model']} does not exist", "model_not_found")
        schema = body["response_format"]["json_schema"]
        if body["response_format"]["type"] != "json_schema" or schema["strict"] is not True:
            raise Bad(400, "expected a strict json_schema")
        shape = schema["schema"]
        if shape["additionalProperties"] is not False or set(shape["required"]) != set(shape["properties"]):
            raise Bad(400, "Invalid schema for response_format")
        (message,) = body["messages"]
        text, picture = message["content"]
        if message["role"] != "user" or not text["text"].strip():
            raise Bad(400, "expected a user's prompt")
        if picture["image_url"]["detail"] not in ("low", "high", "auto"):
            raise Bad(400, "Invalid detail")
        return self.check_image(picture["image_url"]["url"])

    def check_image(self, url: str) -> str:
        """Return the hash of a data URL's image: a JPEG without metadata, not too large."""
        head, _, data = url.partition(",")
        content = base64.b64decode(data, validate=True)
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            metadata = set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            fine = image.format == "JPEG" and max(image.size) <= self.max_side and not metadata
            if head != "data:image/jpeg;base64" or not fine or image.getexif():
                raise Bad(400, f"Invalid image {image.format} {image.size} {metadata}")
        name = hashlib.sha256(content).hexdigest()
        self.sent[name] = content
        return name

    def completion(self, image: str) -> dict[str, Any]:
        """Return the body of a completion about an image."""
        said = self.script.content(image)
        refused = isinstance(said, dict)
        message = {"role": "assistant"} | (said | {"content": None} if refused else {"content": said})
        sent, received = self.script.usage
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received},
        }  # fmt: skip

    def new_batch(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a batch and work out at once how it will end."""
        if body["endpoint"] != "/v1/chat/completions" or body["completion_window"] != "24h":
            raise Bad(400, "Invalid endpoint or window")
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        number = len(self.batches)
        script = self.script.batches[number] if number < len(self.script.batches) else ""
        output, errors, end = [], [], {"expire": "expired", "fail": "failed"}.get(script, "completed")
        for row, line in enumerate(lines):
            if line.keys() != {"custom_id", "method", "url", "body"}:
                raise Bad(400, "Invalid line")
            image, result = self.check_chat(line["body"]), {"id": f"r{row}", "custom_id": line["custom_id"]}
            if script == "fail" or (script == "expire" and row >= len(lines) // 2):
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                errors.append(result | {"response": None, "error": error})
            elif script == "partly" and row % 4 < 2:
                status = 500 if row % 4 else 400
                errors.append(result | {"response": {"status_code": status, "body": {}}, "error": None})
            else:
                self.finished[image] += 1
                response = {"status_code": 200, "request_id": "x", "body": self.completion(image)}
                output.append(result | {"response": response, "error": None})
        batch = {
            "id": f"batch_{number}", "object": "batch", "endpoint": body["endpoint"], "created_at": number,
            "completion_window": "24h", "input_file_id": body["input_file_id"], "status": "validating",
            "metadata": body.get("metadata"), "end": end, "polls": 0, "images": len(lines),
            "errors": {"object": "list", "data": [{"code": "x", "message": "Enqueued token limit reached"}]}
            if script == "fail" else None,
        }  # fmt: skip
        for kind, rows in (("output", output), ("error", errors)):
            if rows and script != "fail":
                self.files[f"file-{kind}-{number}"] = "\n".join(map(json.dumps, rows[::-1])).encode()
                batch[f"{kind}_file_id"] = f"file-{kind}-{number}"
        self.batches[str(batch["id"])] = batch
        return batch


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ChatServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.guarded(self.post, content)

    def do_GET(self) -> None:
        self.guarded(self.get)

    def guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            if self.headers["Authorization"] != f"Bearer {KEY}":
                self.server.log.append(("refused", self.path, 401))
                raise Bad(
                    401, f"Incorrect API key provided: {self.headers['Authorization']}", "invalid_api_key"
                )
            work(*arguments)
        except Bad as error:
            self.reply(error.status, {"error": {"message": str(error), "code": error.code, "type": "x"}})
        except (KeyError, ValueError, TypeError) as error:
            self.reply(400, {"error": {"message": f"{type(error).__name__} {error}", "code": None}})

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def post(self, content: bytes) -> None:
        server = self.server
        if self.path == "/v1/chat/completions":
            self.chat(json.loads(content))
        elif self.path == "/v1/files":
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = {
                part.get_param("name", header="content-disposition"): part
                for part in BytesParser(policy=HTTP).parsebytes(head + content).iter_parts()
            }
            if parts["purpose"].get_content().strip() != "batch":
                raise Bad(400, "Invalid purpose")
            name = f"file-{len(server.files)}"
            server.files[name] = bytes(parts["file"].get_payload(decode=True))
            server.log.append(("file", name, 200))
            self.reply(200, {"id": name, "object": "file", "bytes": 1, "purpose": "batch", "filename": "x"})
        elif self.path == "/v1/batches":
            batch = server.new_batch(json.loads(content))
            server.log.append(("batch", batch["id"], 200))
            number = len(server.batches) - 1
            if number < len(server.script.batches) and server.script.batches[number] == "hang":
                time.sleep(60)
            self.reply(200, batch)
        else:
            raise Bad(404, self.path)

    def chat(self, body: Any) -> None:
        server, script = self.server, self.server.script
        image = server.check_chat(body)
        with server.lock:
            attempt = server.attempts[image]
            server.attempts[image] += 1
            held = server.script.hold_after
            if held is None or len(server.finished) + server.in_flight < held:
                held = None
                server.in_flight += 1
                server.most_in_flight = max(server.most_in_flight, server.in_flight)
        if held is not None:
            server.log.append(("held", image, None))
            server.wait_until(lambda: held != script.hold_after, 600.0)
            self.hang_up()
            return
        time.sleep(script.delay)
        outcome = script.outcome(image, attempt)
        server.log.append(("chat", image, outcome))
        with server.lock:
            server.in_flight -= 1
            server.finished.update([image] if outcome is None else [])
        if outcome in ("drop", "slow"):
            time.sleep(1.0 if outcome == "slow" else 0.0)
            self.hang_up()
        elif outcome == "garbage":
            self.reply(200, b"<html>busy</html>", {"Content-Type": "text/html"})
        elif outcome is None:
            self.reply(200, server.completion(image))
        else:
            status, code = (429, "insufficient_quota") if outcome == "quota" else (outcome, None)
            headers = {"Retry-After": script.retry_after} if status == 429 else {}
            message = "slow down" if status == 429 else f"something broke for {KEY}"
            self.reply(status, {"error": {"message": message, "code": code}}, headers)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def get(self) -> None:
        server, address = self.server, urlsplit(self.path)
        parts = address.path.split("/")[2:]
        if parts == ["batches"]:
            after = parse_qs(address.query).get("after", [""])[0]
            newest = [batch for name, batch in reversed(server.batches.items()) if not after or name < after]
            self.reply(200, {"object": "list", "data": newest[:20], "has_more": len(newest) > 20})
        elif parts[0] == "batches":
            batch = server.batches[parts[1]]
            batch["polls"] += 1
            batch["status"] = batch["end"] if batch["polls"] > server.script.polls else "in_progress"
            server.log.append(("poll", parts[1], batch["status"]))
            self.reply(200, batch)
        elif parts[0] == "files" and parts[2:] == ["content"]:
            self.reply(200, server.files[parts[1]], {"Content-Type": "application/octet-stream"})
        else:
            raise Bad(404, self.path)
