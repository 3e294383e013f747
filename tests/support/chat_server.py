"""A server on loopback that speaks chat completions, files and batches, and is strict about both sides.

It checks every request as the service would, fails as often as it is told to, by a hash of image and
attempt so that runs can be compared, and keeps a log.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from PIL import Image

from tests.support.chat_handler import KEY as KEY
from tests.support.chat_handler import Handler, Refusal

ALLOWED = {"model", "messages", "response_format", "max_tokens", "max_completion_tokens"}


@dataclass
class Script:
    """What the server does besides answering. Outcomes are 429, 500, "drop", "slow",
    "garbage", "quota" or None (fine).

    Attributes:
        outcome: what happens to an attempt (from 0) at an image, named by the hash of its bytes.
        content: what the model says of an image: a string, or {"refusal": …}.
        hold_after: from so many finished answers on, further requests hang, until this changes: then
            they are dropped.
        batches: what happens to the first, second … batch: "expire", "partly", "fail", "hang", "lose".
        delay: seconds that the model thinks.
        polls: looks at a batch until it has ended.
        refuse: what a request of a batch is refused for, by its body; None for nothing.
        why_failed: what is said of a batch that fails as a whole.
        download: what a batch's files are sent as, ``(status, content, headers)``; None for as they are.
    """

    outcome: Callable[[str, int], Any] = lambda image, attempt: None
    content: Callable[[str], Any] = lambda image: json.dumps(texts(image))
    hold_after: int | None = None
    retry_after: str = "0.05"
    delay: float = 0.0
    batches: list[str] = field(default_factory=list)
    polls: int = 2
    why_failed: str = "Enqueued token limit reached"
    refuse: Callable[[dict[str, Any]], str | None] = lambda body: None
    download: tuple[int, bytes, dict[str, str]] | None = None
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
        from text2image.labels.openai.ask import LEARNED

        LEARNED.clear()  # of another server, which had this port before
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
            raise Refusal(400, f"unknown arguments: {sorted(set(body) - ALLOWED)}")
        if body["model"] != self.model:
            raise Refusal(404, f"The model {body['model']} does not exist", "model_not_found")
        schema = body["response_format"]["json_schema"]
        if body["response_format"]["type"] != "json_schema" or schema["strict"] is not True:
            raise Refusal(400, "expected a strict json_schema")
        shape = schema["schema"]
        if shape["additionalProperties"] is not False or set(shape["required"]) != set(shape["properties"]):
            raise Refusal(400, "Invalid schema for response_format")
        (message,) = body["messages"]
        text, picture = message["content"]
        if message["role"] != "user" or not text["text"].strip():
            raise Refusal(400, "expected a user's prompt")
        if picture["image_url"]["detail"] not in ("low", "high", "auto"):
            raise Refusal(400, "Invalid detail")
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
                raise Refusal(400, f"Invalid image {image.format} {image.size} {metadata}")
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
            raise Refusal(400, "Invalid endpoint or window")
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        number = len(self.batches)
        script = self.script.batches[number] if number < len(self.script.batches) else ""
        output, errors, end = [], [], {"expire": "expired", "fail": "failed"}.get(script, "completed")
        for row, line in enumerate(lines):
            if line.keys() != {"custom_id", "method", "url", "body"}:
                raise Refusal(400, "Invalid line")
            image, result = self.check_chat(line["body"]), {"id": f"r{row}", "custom_id": line["custom_id"]}
            if script == "fail" or (script == "expire" and row >= len(lines) // 2):
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                errors.append(result | {"response": None, "error": error})
            elif refused := self.script.refuse(line["body"]):
                response = {"status_code": 400, "body": {"error": {"message": refused}}}
                errors.append(result | {"response": response, "error": None})
            elif script == "partly" and row % 4 < 2:
                status = 500 if row % 4 else 400
                errors.append(result | {"response": {"status_code": status, "body": {}}, "error": None})
            elif script == "lose" and row % 2:
                self.finished[image] += 1
            else:
                self.finished[image] += 1
                response = {"status_code": 200, "request_id": "x", "body": self.completion(image)}
                output.append(result | {"response": response, "error": None})
        batch = {
            "id": f"batch_{number}", "object": "batch", "endpoint": body["endpoint"], "created_at": number,
            "completion_window": "24h", "input_file_id": body["input_file_id"], "status": "validating",
            "metadata": body.get("metadata"), "end": end, "polls": 0, "images": len(lines),
            "errors": {"object": "list", "data": [{"code": "x", "message": self.script.why_failed}]}
            if script == "fail" else None,
        }  # fmt: skip
        for kind, rows in (("output", output), ("error", errors)):
            if rows and script != "fail":
                self.files[f"file-{kind}-{number}"] = "\n".join(map(json.dumps, rows[::-1])).encode()
                batch[f"{kind}_file_id"] = f"file-{kind}-{number}"
        self.batches[str(batch["id"])] = batch
        return batch
