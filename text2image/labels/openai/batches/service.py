"""The service's side of batches: upload, create once, find again, wait, download, with patience."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import IO, TypeVar

import openai
from openai.types import Batch

from text2image.base.console import InputError, one_line, say
from text2image.base.settings import OpenaiRuntime
from text2image.labels.openai.batches.files import ENDPOINT
from text2image.labels.openai.pace import backoff
from text2image.labels.openai.service import client_options, describe, wait_to_retry
from text2image.labels.openai.settings import Settings

UPLOAD_SECONDS = 900.0
LISTED = 2000  # batches of the account that are searched for a tag, newest first
LISTING_DELAY = 10.0  # seconds until a batch that was just created is listed for sure
RUNNING = ("validating", "in_progress", "finalizing", "cancelling")

T = TypeVar("T")


class BatchService:
    """A client that repeats what failed for a moment, and creates no batch twice.

    Every method raises InputError where the service refuses, or stays out of reach.
    """

    def __init__(self, settings: Settings, runtime: OpenaiRuntime) -> None:
        self._settings, self._runtime = settings, runtime
        self._client = openai.OpenAI(**client_options(settings, runtime.timeout))

    def upload(self, requests: IO[bytes]) -> str:
        """Upload a file of requests and return its id."""

        def send() -> str:
            requests.seek(0)
            file = ("requests.jsonl", requests, "application/jsonl")
            return self._client.files.create(file=file, purpose="batch", timeout=UPLOAD_SECONDS).id

        return self._patiently(send)

    def create(self, tag: str, file_id: str) -> str:
        """Create the batch of an uploaded file and return its id.

        The tag goes into its metadata. After an error that leaves open whether the batch was created,
        it is looked for before another attempt.
        """

        def create() -> str:
            return self._client.batches.create(
                input_file_id=file_id, endpoint=ENDPOINT, completion_window="24h", metadata={"tag": tag}
            ).id

        return self._patiently(create, before_retry=lambda: self.find([tag]).get(tag))

    def find(self, tags: Sequence[str]) -> dict[str, str]:
        """Return ``{tag: batch id}`` for those of ``tags`` that the service knows, asking twice."""

        def ids() -> dict[str, str]:
            batches = islice(self._client.batches.list(limit=100), LISTED)
            known = {(batch.metadata or {}).get("tag", ""): batch.id for batch in batches}
            return {tag: known[tag] for tag in tags if tag in known}

        known_ids = self._patiently(ids)
        if len(known_ids) < len(tags):
            time.sleep(min(LISTING_DELAY, self._runtime.poll_seconds))
            known_ids = self._patiently(ids)
        return known_ids

    def wait(self, batch_id: str) -> Batch:
        """Return a batch when it has ended, one way or another; say when its status changes."""
        status = ""
        while True:
            batch = self._patiently(lambda: self._client.batches.retrieve(batch_id))
            if batch.status != status:
                status = batch.status
                say(f"label openai: batch {one_line(batch_id)} {one_line(status)}")
            if status not in RUNNING:
                return batch
            time.sleep(self._runtime.poll_seconds)

    def lines(self, batch: Batch) -> list[str]:
        """Return the lines of a batch's output and error files."""
        files = [file for file in (batch.output_file_id, batch.error_file_id) if file]
        texts = [self._patiently(partial(self._read, file)) for file in files]
        return [line for text in texts for line in text.split("\n")]

    def _read(self, file_id: str) -> str:
        return self._client.files.content(file_id).text

    def _patiently(self, call: Callable[[], T], before_retry: Callable[[], T | None] = lambda: None) -> T:
        """Return what ``call`` returns, repeated after transient errors unless ``before_retry`` returns it."""
        why, attempts = "", self._runtime.max_retries + 1
        for attempt in range(attempts):
            try:
                return call()
            except openai.APIError as error:
                why, asked = describe(error), wait_to_retry(error, self._settings)
            if attempt + 1 < attempts:
                time.sleep(max(asked, backoff(attempt)))
            if (result := before_retry()) is not None:
                return result
        raise InputError(
            f"expected {self._settings.address} (params key label.openai.base_url) to serve batches, found "
            f"{why} {attempts} times; what was submitted is remembered, run again later"
        )
