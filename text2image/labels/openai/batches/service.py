"""The service's side of batches: upload, create once, find again, wait, download, with patience."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import IO, Annotated, Any, Self, TypeVar

import httpx2
import openai
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from text2image.base.console import InputError, one_line, say
from text2image.base.settings import OpenaiRuntime
from text2image.labels.openai.batches.files import ENDPOINT
from text2image.labels.openai.pace import SILENCE, backoff
from text2image.labels.openai.reasons import explain
from text2image.labels.openai.service import client, wait_to_retry
from text2image.labels.openai.settings import Settings
from text2image.labels.openai.transport import ANSWER_BYTES, within

FILE_SECONDS = 900.0  # that a file may take, up or down
LISTED = 2000  # batches of the account that are searched for a tag, newest first
LISTING_DELAY = 10.0  # seconds until a batch that was just created is listed for sure
ENDED = ("completed", "failed", "expired", "cancelled")  # another status is one of a batch that goes on

T = TypeVar("T")


class Reply(BaseModel):
    """What is read of a reply: a file's, as it has no more."""

    model_config = ConfigDict(strict=True)
    id: Annotated[str, Field(min_length=1)]


class BatchError(BaseModel):
    """What was wrong with a batch as a whole, or with a line of it."""

    model_config = ConfigDict(strict=True)
    message: str | None = None


class BatchErrors(BaseModel):
    """All that was wrong with a batch as a whole."""

    model_config = ConfigDict(strict=True)
    data: list[BatchError] | None = None


class Batch(Reply):
    """What is read of a batch. The SDK takes whatever a server says for one."""

    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: BatchErrors | None = None


Form = TypeVar("Form", bound=Reply)


def read_reply(reply: object, form: type[Form]) -> Form:
    """Return what is read of a reply.

    Raises:
        openai.APIError: it is none, such as a page of a proxy: whether a batch was taken or has ended, nobody knows then.
    """
    try:
        return form.model_validate(reply.to_dict() if isinstance(reply, openai.BaseModel) else reply)
    except ValidationError:
        raise _unreadable() from None


def _unreadable() -> openai.APIError:
    return openai.APIError("unreadable answer", httpx2.Request("GET", "http://unreadable"), body=None)


class BatchService:
    """A client that repeats what failed for a moment, and creates no batch twice.

    Every method raises InputError where the service refuses, or stays out of reach.
    """

    def __init__(self, settings: Settings, runtime: OpenaiRuntime) -> None:
        self._settings, self._runtime = settings, runtime
        self._client = client(settings, runtime.timeout)
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._loop.run(self._client.close())
        self._loop.close()

    def upload(self, requests: IO[bytes]) -> str:
        """Upload a file of requests and return its id."""

        async def send() -> str:
            requests.seek(0)
            file = ("requests.jsonl", requests, "application/jsonl")
            reply = await self._client.files.create(file=file, purpose="batch", timeout=FILE_SECONDS)
            return read_reply(reply, Reply).id

        return self._patiently(send, seconds=FILE_SECONDS)

    def create(self, tag: str, file_id: str) -> str:
        """Create the batch of an uploaded file and return its id.

        The tag goes into its metadata. After an error that leaves open whether the batch was created,
        it is looked for before another attempt.
        """

        async def create() -> str:
            created = await self._client.batches.create(
                input_file_id=file_id, endpoint=ENDPOINT, completion_window="24h", metadata={"tag": tag}
            )
            return read_reply(created, Reply).id

        return self._patiently(create, before_retry=lambda: self.find([tag]).get(tag))

    def find(self, tags: Sequence[str]) -> dict[str, str]:
        """Return ``{tag: batch id}`` for those of ``tags`` that the service knows, asking twice."""

        async def ids() -> dict[str, str]:
            known, listed = dict[str, str](), 0
            try:
                page = await self._client.batches.list(limit=100)
            except (AttributeError, TypeError):  # of the SDK, where the reply is no object
                raise _unreadable() from None
            if not isinstance(page.data, list):
                raise _unreadable()
            async for batch in page:
                metadata = getattr(batch, "metadata", None)
                if isinstance(metadata, dict) and isinstance(tag := metadata.get("tag"), str):
                    known[tag] = read_reply(batch, Reply).id
                listed += 1
                if listed >= LISTED:
                    break
            return {tag: known[tag] for tag in tags if tag in known}

        known_ids = self._patiently(ids, seconds=FILE_SECONDS)
        if len(known_ids) < len(tags):
            time.sleep(min(LISTING_DELAY, self._runtime.poll_seconds))
            known_ids = self._patiently(ids, seconds=FILE_SECONDS)
        return known_ids

    def wait(self, batch_id: str) -> Batch:
        """Return a batch when it has ended, one way or another; say when its status changes."""
        status = ""
        while True:
            batch = self._patiently(partial(self._state, batch_id))
            if batch.status != status:
                status = batch.status
                say(f"label openai: batch {one_line(batch_id)} {one_line(status)}")
            if status in ENDED:
                return batch
            time.sleep(self._runtime.poll_seconds)

    async def _state(self, batch_id: str) -> Batch:
        return read_reply(await self._client.batches.retrieve(batch_id), Batch)

    def lines(self, batch: Batch) -> Iterator[str]:
        """Yield the lines of a batch's output and error files; one that is longer than an answer may be is left out."""
        for name in filter(None, (batch.output_file_id, batch.error_file_id)):
            with closing(self._patiently(partial(self._read, name), seconds=FILE_SECONDS)) as file:
                while line := file.readline(ANSWER_BYTES):
                    if line.endswith(b"\n") or len(line) < ANSWER_BYTES:
                        yield line.decode("utf-8", "replace")

    async def _read(self, file_id: str) -> IO[bytes]:
        """Return a file of the service, which stays on disk, has no name and vanishes with the process."""
        file = tempfile.TemporaryFile()  # noqa: SIM115
        async with self._client.files.with_streaming_response.content(file_id, timeout=FILE_SECONDS) as reply:
            async for piece in reply.iter_bytes():
                file.write(piece)
        file.seek(0)
        return file

    async def _say_while_waiting(self, request: Coroutine[Any, Any, T]) -> T:
        """Return the result of a request, and say a line after each time of silence."""
        task = asyncio.ensure_future(request)
        try:
            while not (await asyncio.wait([task], timeout=SILENCE))[0]:
                say(f"label openai: waiting for an answer of {self._settings.address}")
            return task.result()
        finally:
            task.cancel()

    def _patiently(
        self,
        call: Callable[[], Awaitable[T]],
        before_retry: Callable[[], T | None] = lambda: None,
        seconds: float | None = None,
    ) -> T:
        """Return what ``call`` returns, repeated after transient errors unless ``before_retry`` returns it.

        Each call takes ``seconds`` at most, None for ``runtime.openai.timeout``.
        """
        why, attempts = "", self._runtime.max_retries + 1
        for attempt in range(attempts):
            try:
                return self._loop.run(
                    self._say_while_waiting(within(seconds or self._runtime.timeout, call()))
                )
            except openai.APIError as error:
                why, asked = explain(error), wait_to_retry(error, self._settings)
            if attempt + 1 < attempts:
                say(f"label openai: {why}; {self._settings.address} is asked again")
                time.sleep(max(asked, backoff(attempt)))
            if (result := before_retry()) is not None:
                return result
        raise InputError(
            f"expected {self._settings.address} (params key label.openai.base_url) to serve batches, found "
            f"{why} {attempts} times; what was submitted is remembered, run again later"
        )
