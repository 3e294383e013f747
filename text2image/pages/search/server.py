"""Serves the page: Gradio's controls, the pictures by id, and the guard before them."""

import asyncio
import socket
from contextlib import closing
from http import HTTPStatus
from tempfile import SpooledTemporaryFile

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from text2image.base.console import InputError, say
from text2image.base.memory import return_freed_memory
from text2image.pages.search.controls import Actions, asset, controls
from text2image.pages.search.guard import Guard, receive_body, refusal
from text2image.pages.search.pictures import LARGE, Thumbnails, Uploads
from text2image.pages.search.service import SearchService
from text2image.pages.templates import CSS_VARIABLES

CHECKED_AT_ONCE = 4  # uploaded pictures that lie in memory
SPOOLED = 64 * 1024  # bytes of an upload above which it waits on disk until it is complete


def application(service: SearchService, host: str) -> Guard:
    """Return the whole page as an ASGI app."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    thumbnails, uploads = Thumbnails(service.files), Uploads()

    @app.get("/image/{image_id}")
    def image(image_id: str, side: int = LARGE) -> Response:
        thumbnail = thumbnails.get(image_id, side)
        if thumbnail is None:
            return Response(status_code=404)
        kept = "private, max-age=3600" if thumbnail.shows_image else "no-store"
        return Response(thumbnail.content, media_type="image/jpeg", headers={"Cache-Control": kept})

    @app.exception_handler(RequestValidationError)
    async def wrong_type(request: Request, error: RequestValidationError) -> Response:
        return refusal(HTTPStatus.BAD_REQUEST, "expected an image of the gallery and a side in pixels")

    checking = asyncio.Semaphore(CHECKED_AT_ONCE)

    @app.post("/picture")
    async def picture(request: Request) -> Response:
        # A slow upload neither keeps others waiting nor lies in memory.
        with SpooledTemporaryFile(SPOOLED) as file:
            if refused := await receive_body(request, file):
                return refused
            async with checking:
                file.seek(0)
                content = file.read()
                if problem := await run_in_threadpool(service.check_picture, content):
                    return JSONResponse({"error": problem}, 415)
                return JSONResponse({"picture": uploads.keep(content)})

    gr.mount_gradio_app(
        app, controls(Actions(service, uploads)), path="/", footer_links=[], run_history=False, show_error=False,
        ssr_mode=False, mcp_server=False, pwa=False, enable_monitoring=False, allowed_paths=[],
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css=CSS_VARIABLES + asset("page.css"), js="() => document.body.classList.remove('dark')",
    )  # fmt: skip
    return Guard(app, host)


def serve(service: SearchService, host: str, port: int) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        InputError: host or port cannot be listened at.
    """
    return_freed_memory()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()
        except (OSError, OverflowError) as error:
            raise InputError(f"expected to listen at {host} port {port}, found: {error}") from None
        app = application(service, host)
        name = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=1)
        Server(config, f"http://{name}:{listening.getsockname()[1]}/").run(sockets=[listening])


class Server(uvicorn.Server):
    """A server that names its address once it answers there and ends cleanly at Ctrl-C, not before."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self.url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        say(f"search at {self.url} (Ctrl-C ends; every grade is kept at once)")
