"""What a model reads of a text, and which texts it cannot tell apart: what a score on them does not say.

Three things befall texts in silence. A model reads a text to the last token of its context and drops the rest; what its
tokenizer does not know (an emoji, a script) becomes one token that stands for everything unknown; and texts that
differ in nothing but these get one vector, so that the model must fail on all but one of them.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from text2image.base.arrays import Vectors
from text2image.base.store import Store
from text2image.encoders.vectors import Card, text_key

KIND = "readings"
"""The kind of store that holds them: a rerun that embeds nothing loads no tokenizer either."""

VERSION = 1
"""Of :func:`read_texts`; raise it with every change of what that returns."""

BATCH = 1000  # texts that are tokenised at once
CUT, UNKNOWN, NOTHING, ONE_VECTOR = "cut off", "unknown tokens", "no token", "one vector"


class Reading(NamedTuple):
    """What a model reads of a text.

    Attributes:
        limit: tokens that the model reads at most, those of its own at both ends included.
        cut: whether the text has more.
        tokens: of the text that are read, without the model's own.
        unknown: how many of them stand for something that the tokenizer does not know.
    """

    limit: int
    cut: bool
    tokens: int
    unknown: int


class Finding(NamedTuple):
    """A query that a model reads in part, or not as itself: a row of data/readings/MODEL/SOURCE.csv.

    Attributes:
        reason: one of CUT, UNKNOWN, NOTHING and ONE_VECTOR; a query may have several rows.
        detail: the last token that is read; how many tokens of how many are unknown; or the group of texts that have
            one vector, named by the first id in it.
    """

    query_id: str
    text: str
    reason: str
    detail: str


def reading_determinants(card: Card) -> dict[str, Any]:
    """Return all that determines a reading besides the text."""
    about = {key: card[key] for key in ("name", "pretrained", "files", "context_length")}
    return {"kind": "reading", "version": VERSION, **about}


def read_texts(tokenizer: Any, texts: Sequence[str]) -> Iterator[Reading]:
    """Yield what a tokenizer of open_clip's makes of texts.

    A text is cut if it has other tokens where there is room for one more.
    """
    known = getattr(tokenizer, "tokenizer", None)  # Hugging Face's; open_clip's own knows every byte
    pad = getattr(known, "pad_token_id", None) or 0
    ends = {getattr(known, f"{name}_token_id", None) for name in ("bos", "eos", "cls", "sep", "pad")}
    unknown = getattr(known, "unk_token_id", None)
    limit = tokenizer.context_length

    def rows(some: Sequence[str], length: int) -> list[list[int]]:
        return [
            [token for token in row if token != pad]
            for row in tokenizer(list(some), context_length=length).tolist()
        ]

    own = len(rows([""], limit)[0])
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        for row, longer in zip(rows(some, limit), rows(some, limit + 1), strict=True):
            strange = 0 if unknown is None or unknown in ends else row.count(unknown)
            yield Reading(limit, row != longer, len(row) - own, strange)


def stored_readings(
    card: Card, texts: Mapping[str, str], load_tokenizer: Callable[[], Any]
) -> dict[str, Reading]:
    """Return ``{text_key: reading}`` of texts by their keys; the tokenizer is loaded for those that the store lacks."""

    def read(missing: Sequence[str]) -> Iterator[Iterator[tuple[str, bytes]]]:
        readings = read_texts(load_tokenizer(), [texts[key] for key in missing])
        yield ((key, json.dumps(one).encode()) for key, one in zip(missing, readings, strict=True))

    with Store(KIND, reading_determinants(card)) as store:
        return {key: Reading(*value) for key, value in store.fill(texts, read).items()}


def find_misread(
    queries: Mapping[str, str], readings: Mapping[str, Reading], vectors: Vectors
) -> list[Finding]:
    """Return what is not as it seems in queries, sorted by the id.

    Args:
        queries: ``{query_id: text}``.
        readings: by :func:`text_key` of the texts.
        vectors: ``(n_queries, dim)``, rows in the order of the queries.
    """
    findings = []
    groups: dict[bytes, list[str]] = defaultdict(list)
    for (query_id, text), vector in zip(queries.items(), vectors, strict=True):
        reading = readings[text_key(text)]
        groups[vector.tobytes()].append(query_id)
        if reading.cut:
            findings.append(Finding(query_id, text, CUT, str(reading.limit)))
        if not reading.tokens:
            findings.append(Finding(query_id, text, NOTHING, ""))
        elif reading.unknown:
            findings.append(Finding(query_id, text, UNKNOWN, f"{reading.unknown} of {reading.tokens}"))
    for group in groups.values():
        if len(group) > 1:
            findings += [Finding(one, queries[one], ONE_VECTOR, min(group)) for one in group]
    return sorted(findings)


def reading_figures(readings: Mapping[str, Reading], findings: Sequence[Finding]) -> dict[str, int]:
    """Return what metrics/readings/MODEL/SOURCE.json says; without a query, nothing but zeros."""

    def count(reason: str) -> int:
        return sum(finding.reason == reason for finding in findings)

    return {
        "queries": len(readings),
        "context_length": max((reading.limit for reading in readings.values()), default=0),
        "cut": count(CUT),
        "with_unknown_tokens": count(UNKNOWN),
        "without_token": count(NOTHING),
        "with_the_vector_of_another": count(ONE_VECTOR),
        "groups_of_one_vector": len({one.detail for one in findings if one.reason == ONE_VECTOR}),
    }


def reading_sentence(model: str, figures: Mapping[str, Any]) -> str:
    """Say what a model does not read of a source's queries; nothing if it reads all of them, each as itself."""

    def number(key: str) -> int:
        value = figures.get(key, 0)  # of a revision, whose file may hold anything
        return value if isinstance(value, int) else 0

    parts = {
        "cut": ("is", "are", f"read by {model} to {{}} {ordinal(number('context_length'))} token only"),
        "with_unknown_tokens": ("has", "have", f"tokens that {model} does not know"),
        "without_token": ("has", "have", f"no token that {model} reads"),
    }
    said = [
        f"{n:,} of {number('queries'):,} queries {one if n == 1 else many} {what.format('its' if n == 1 else 'their')}"
        for key, (one, many, what) in parts.items()
        if (n := number(key))
    ]
    if groups := number("groups_of_one_vector"):
        said.append(
            f"{groups:,} {'group of different texts has' if groups == 1 else 'groups of different texts have'} one "
            f"vector by {model} ({number('with_the_vector_of_another'):,} queries)"
        )
    return "; ".join(said)


def ordinal(number: int) -> str:
    """Return ``77th`` of 77.

    >>> [ordinal(n) for n in (1, 12, 32, 77)]
    ['1st', '12th', '32nd', '77th']
    """
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number // 10 % 10 == 1 else ends.get(number % 10, 'th')}"
