"""The client over HTTP, with bounds on what an answer may cost this machine.

- **Size**: an answer may have ``ANSWER_BYTES`` bytes, a file of a batch ``FILE_BYTES``, counted *unpacked* while they
  arrive: a small answer that unpacks to a large one is cut off, with no more in memory than is allowed.
- **Time**: all of a request, from connecting to the last byte, takes at most the seconds that it is given
  (``runtime.openai.timeout``), however slowly bytes drip in.
- **Place**: no redirect is followed, since what is asked holds a picture and a key.

All of it holds for answers that are errors, too, which the SDK reads by itself.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import httpx2
import openai

ANSWER_BYTES = 4 * 2**20
FILE_BYTES = 256 * 2**20
UNPACKED = ("gzip", "deflate")

T = TypeVar("T")


class Unacceptable(openai.APIError):
    """An answer that is not taken; ``message`` says in a few words what it is."""

    def __init__(self, message: str, request: httpx2.Request) -> None:
        super().__init__(message, request, body=None)


class Redirected(Unacceptable):
    """An answer that points to another address."""


class OutOfTime(Unacceptable):
    """A request that took longer than it may."""


class BoundedStream(httpx2.AsyncByteStream):
    """The bytes of an answer, unpacked, of which there may be so many."""

    def __init__(self, response: httpx2.Response, limit: int) -> None:
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("expected the stream of an asynchronous client")
        self._stream, self._request, self._left = stream, response.request, limit
        encodings = [
            name for name in response.headers.get_list("content-encoding", split_commas=True) if name
        ]
        named = [name.strip().lower() for name in encodings if name.strip().lower() != "identity"]
        if len(named) > 1 or not set(named) <= set(UNPACKED):
            raise Unacceptable(f"an answer packed as {', '.join(named)[:60]!r}", self._request)
        self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if named else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for packed in self._stream:
                piece = self._unpack.decompress(packed, self._left + 1) if self._unpack else packed
                self._left -= len(piece)
                if self._left < 0:
                    raise Unacceptable("an answer that is larger than any may be", self._request)
                yield piece
        except zlib.error:
            raise Unacceptable("an answer that cannot be unpacked", self._request) from None

    async def aclose(self) -> None:
        await self._stream.aclose()


async def bound(response: httpx2.Response) -> None:
    """Bound what is read of an answer whose head has come.

    Raises:
        Redirected: it points elsewhere.
        Unacceptable: it is packed in a way that was not asked for.
    """
    if 300 <= response.status_code < 400:
        where = response.headers.get("location", "nowhere")
        raise Redirected(f"a redirect to {where}", response.request)
    is_file = response.request.method == "GET" and response.request.url.path.endswith("/content")
    response.stream = BoundedStream(response, FILE_BYTES if is_file else ANSWER_BYTES)
    if "content-encoding" in response.headers:
        del response.headers["content-encoding"]


def new_client(address: str, key: str, timeout: float) -> openai.AsyncOpenAI:
    """Return an SDK client that never retries by itself; ``timeout`` in seconds for each step of a request.

    The address is always given, so that no variable of the environment changes it.
    """
    http = openai.DefaultAsyncHttpxClient(
        follow_redirects=False,
        event_hooks={"response": [bound]},
        headers={"Accept-Encoding": ", ".join(UNPACKED)},
    )
    steps = httpx2.Timeout(timeout, connect=0.9 * timeout)  # so that what was never sent is told apart
    return openai.AsyncOpenAI(api_key=key, base_url=address, timeout=steps, max_retries=0, http_client=http)


async def within(seconds: float, request: Awaitable[T]) -> T:
    """Return the result of a request that takes at most some ``seconds`` in all.

    Raises:
        OutOfTime: it took longer, and was given up.
    """
    try:
        async with asyncio.timeout(seconds):
            return await request
    except TimeoutError:
        raise OutOfTime("no answer in time", httpx2.Request("POST", "http://unanswered")) from None
