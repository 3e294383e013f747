"""One request to the server of :mod:`tests.support.chat_server`."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.support.chat_server import ChatServer

KEY = f"sk-test-{secrets.token_hex(12)}"


class Refusal(Exception):
    """A request that the service would refuse, with its status."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's script says."""

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
                raise Refusal(
                    401, f"Incorrect API key provided: {self.headers['Authorization']}", "invalid_api_key"
                )
            work(*arguments)
        except Refusal as error:
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
                raise Refusal(400, "Invalid purpose")
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
            raise Refusal(404, self.path)

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
        elif parts[0] == "files" and parts[2:] == ["content"] and server.script.download:
            self.reply(*server.script.download)
        elif parts[0] == "files" and parts[2:] == ["content"]:
            self.reply(200, server.files[parts[1]], {"Content-Type": "application/octet-stream"})
        else:
            raise Refusal(404, self.path)
