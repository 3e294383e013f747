"""Reading what a model wrote: the answer among thoughts, remarks, fences and copies of the form.

What came is kept in the store beside what was read from it, so that a better reader can read it again: raise ``READER``
with every change of what is read, and answers that could not be read are read again, without asking.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import BaseModel

from text2image.formats.texts import normalise_text
from text2image.labels.protocol.source import Answer

READER = 2  # version; answers from before it was counted name none

REFUSED = "refused"
EMPTY = "empty answer"
THOUGHTS_ONLY = "thoughts without an answer"
MALFORMED = "malformed answer"
COPIED = "answer that copies the form"
CUT_OFF = "answer cut off at label.openai.max_tokens"

# What a hostile answer may cost: so many places where a JSON object may begin are tried, from the end, …
MOST_STARTS = 20_000
MOST_WORK = 20_000_000  # … and so many characters are read
DEEP = 10_000  # characters that an object nested too deeply counts for
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")  # of a message, where thoughts come apart
MARK = r"think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis|seed:think"
THOUGHT = re.compile(
    rf"<(?P<close>/)?(?:{MARK})\s*>|\[(?P<bracket>/)?THINK\]|◁(?P<triangle>/)?think▷"
    r"|<\|channel\|>(?:analysis|commentary)[^<]{0,80}<\|message\|>|(?P<end><\|end\|>)",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"(?:search )?(?:query|caption|keyword) ?#?\d{1,2}|(?:first|second|third|another) (?:search )?query"
    r"|one short sentence\.?|string|\.{2,}|<[a-z ]+>",
    re.IGNORECASE,
)  # what examples of the form hold in place of texts


class Form(BaseModel, ABC):
    """The form in which an answer is asked for."""

    @abstractmethod
    def answer(self, is_copy: Callable[[str], bool]) -> Answer | None:
        """Return what is stored of it; None for a copy of the form, of whose texts ``is_copy`` holds."""


class Found(NamedTuple):
    """What was found in a text: an answer, or None, and whether a copy of the form was passed over."""

    answer: Answer | None
    copied: bool


def is_placeholder(text: str) -> bool:
    """Tell whether a text stands in for others in examples of the form: "query 1", "one short sentence".

    >>> [is_placeholder(text) for text in ("query 1", "Query 2", "query letters", "red shoes")]
    [True, True, False, False]
    """
    return bool(PLACEHOLDER.fullmatch(text.strip()))


def read_message(message: Mapping[str, Any], finish: object, form: type[Form], prompt: str = "") -> Answer:
    """Return the answer in a message of a chat completion, or ``{"failure": reason}``.

    Servers that do not enforce a form put it between thoughts, remarks and fences. Thoughts are no answers, nor is a
    copy of an example that stands in the ``prompt``: the last JSON object of the form that is neither is the answer.
    """
    if message.get("refusal") or finish == "content_filter":
        return {"failure": REFUSED}
    content = written(message.get("content"))
    text = without_thoughts(content)
    found = last_of_form(text, form, prompt)
    if found.answer is None and len(text) < len(content) and content.lstrip().startswith("{"):
        found = last_of_form(content, form, prompt)  # an answer that speaks of thoughts
    if found.answer is not None:
        return found.answer
    if finish == "length":
        return {"failure": CUT_OFF}
    if text.strip():
        return {"failure": COPIED if found.copied else MALFORMED}
    thought = content.strip() or any(written(message.get(name)).strip() for name in THOUGHT_FIELDS)
    return {"failure": THOUGHTS_ONLY if thought else EMPTY}


def written(content: object) -> str:
    """Return the text of a message, which may come in parts; parts that are thoughts are left out."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "".join(map(_part, parts))


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or part.get("type", "text") not in ("text", "output_text"):
        return ""
    text = part.get("text")
    value = text.get("value") if isinstance(text, dict) else text
    return value if isinstance(value, str) else ""


def without_thoughts(text: str) -> str:
    """Return a text without what stands between the marks of thoughts.

    An end without a beginning ends thoughts that began in the prompt, if anything follows it; after a beginning without
    an end there are thoughts alone.

    >>> without_thoughts("<think>hm</think>yes"), without_thoughts("hm</think>yes"), without_thoughts("<think>hm")
    ('yes', 'yes', '')
    """
    kept: list[str] = []
    start, thinking = 0, False
    last = len(text.rstrip())
    for mark in THOUGHT.finditer(text):
        ends = any(mark[name] for name in ("close", "bracket", "triangle", "end"))
        if thinking and not ends:
            continue
        if not thinking:
            kept.append(text[start : mark.start()])
            if ends and not mark["end"] and mark.end() < last:
                kept.clear()
        thinking, start = not ends, mark.end()
    return "".join(kept if thinking else [*kept, text[start:]])


def last_of_form(text: str, form: type[Form], prompt: str = "") -> Found:
    """Return the last object of a form in a text: of one within another the outer, and no copy of the prompt's."""
    examples = _texts_of_examples(prompt)
    answer, answer_end, copied = None, -1, False

    def is_copy(part: str) -> bool:
        return is_placeholder(part) or normalise_text(part).lower() in examples

    for _, end, value in _objects_from_the_end(text):
        if answer is not None and end < answer_end:
            break
        with suppress(ValueError, RecursionError):  # pydantic's errors are ValueErrors
            read = form.model_validate(value, strict=True).answer(is_copy)
            copied = copied or read is None
            if read is not None:
                answer, answer_end = read, end
    return Found(answer, copied)


def _texts_of_examples(prompt: str) -> set[str]:
    """Return the texts in the JSON objects of a prompt, normalised, in lower case."""
    objects = [value for _, _, value in _objects_from_the_end(prompt)]
    texts = {text for value in objects for text in _strings(value)}
    return {normalise_text(text).lower() for text in texts}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _objects_from_the_end(text: str) -> Iterator[tuple[int, int, Any]]:
    """Yield ``(start, end, value)`` of the JSON objects in a text, those that begin last first, within bounds."""
    work, start, decoder = 0, len(text), json.JSONDecoder()
    for _ in range(MOST_STARTS):
        start = text.rfind("{", 0, start)
        if start < 0 or work > MOST_WORK:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:  # which counts lines
            work += error.pos - start + error.pos // 20
        except (ValueError, RecursionError):
            work += DEEP
        else:
            work += end - start
            yield start, end, value
