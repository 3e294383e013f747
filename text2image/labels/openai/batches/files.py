"""The files of a batch: the requests that go up, and the results that come down, both JSON lines."""

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any, Final, NamedTuple

from text2image.base.parallel import in_threads
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.budget import Tokens, cost
from text2image.labels.openai.dialect import Dialect
from text2image.labels.openai.encode import Upload, upload
from text2image.labels.openai.reasons import hide_key, is_error, reason_in
from text2image.labels.openai.schema import Question, is_completion, kept_answer, request_body, usage_of
from text2image.labels.openai.settings import Settings
from text2image.labels.openai.transport import FILE_BYTES
from text2image.labels.protocol.source import Answer

ENDPOINT: Final = "/v1/chat/completions"
MAX_REQUESTS = 50_000  # the service's limits for one file
MAX_BYTES = 200_000_000
RESULT_BYTES = 4096, 16  # that a result has at most, and for each token of its answer
MISSING = "missing in its batch"
UNREADABLE = "unreadable answer"
TRANSIENT_STATUSES = (408, 409, 429)


class BatchFile(NamedTuple):
    """Requests ready to be uploaded, and what their answers are stored under; they cost ``worst`` USD at most."""

    file: IO[bytes]
    keys: tuple[str, ...]
    worst: float


def write_batch(
    images: Mapping[str, ImageFile],
    settings: Settings,
    dialect: Dialect,
    tokens: Tokens,
    affordable: Callable[[float], bool],
) -> BatchFile:
    """Write requests about the first so many ``images`` as fit the service's limits and the budget.

    The file has no name and vanishes with the process. No image may be affordable.

    Raises:
        InputError: a file changed since the catalog was made.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115
    taken: list[str] = []
    size, worst = 0, 0.0
    most = min(MAX_REQUESTS, FILE_BYTES // (RESULT_BYTES[0] + RESULT_BYTES[1] * settings.max_tokens) or 1)

    def encode(item: tuple[str, ImageFile]) -> Upload:
        return upload(*item, settings.max_side)

    for sent in in_threads(encode, images.items(), None):
        body = dialect.put(request_body(settings, sent))
        request = {"custom_id": sent.key, "method": "POST", "url": ENDPOINT, "body": body}
        line = json.dumps(request).encode() + b"\n"
        price = cost(settings, tokens.estimate(sent.width, sent.height), batch=True)
        full = len(taken) >= most or (taken and size + len(line) > MAX_BYTES)
        if full or not affordable(worst + price):
            break
        file.write(line)
        taken.append(sent.key)
        size, worst = size + len(line), worst + price
    file.seek(0)
    return BatchFile(file, tuple(taken), worst)


def read_results(
    lines: Iterable[str], keys: Sequence[str], tag: str, question: Question, unreported: tuple[int, int]
) -> dict[str, Answer]:
    """Return ``{key: answer}`` for all ``keys`` of a batch, from its output and error files.

    What expired, was cut short or is missing gets ``{"failure": …, "transient": True}`` and may be
    submitted again; so does what may have been paid for and is no completion, which comes as ``raw``, too. Lines that are no
    JSON, or about other images, are left out. Completions that report no tokens, or too few, count as ``unreported``.
    """
    answers: dict[str, Answer] = {}
    asked = set(keys)
    for line in lines:
        try:
            result = json.loads(hide_key(line))
        except (ValueError, RecursionError):
            continue
        name = result.get("custom_id") if isinstance(result, dict) else None
        if isinstance(name, str) and name in asked and name not in answers:
            answers[name] = _answer(result, tag, question, unreported)
    missing: Answer = {"failure": MISSING, "transient": True}
    return {key: answers.get(key, missing) for key in keys}


def _answer(result: dict[str, Any], tag: str, question: Question, unreported: tuple[int, int]) -> Answer:
    response, error = result.get("response"), result.get("error")
    response = response if isinstance(response, dict) else {}
    status, body = response.get("status_code"), response.get("body")
    if status == 200 and is_completion(body):
        usage = usage_of(body, question.prompt, unreported) | {"batch": tag}
        return kept_answer(body, json.dumps(body), question, usage)
    if status == 200 and body is not None and not is_error(body):
        return {"failure": UNREADABLE, "transient": True, "raw": json.dumps(body)}
    if type(status) is int and 400 <= status < 500 and status not in TRANSIENT_STATUSES:
        said = reason_in(body)
        return {"failure": f"rejected by the service (status {status}{f': {said}' if said else ''})"}
    code = error.get("code") if isinstance(error, dict) else None
    reason = "batch expired" if code == "batch_expired" else "failed in its batch"
    return {"failure": reason, "transient": True}
