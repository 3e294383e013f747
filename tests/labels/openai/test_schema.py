"""What is made of answers of servers that ignore the form that was asked for."""

import json
from typing import Any

import pytest

from text2image.labels.openai.reading import READER, is_placeholder, without_thoughts
from text2image.labels.openai.schema import Question, Texts, is_unread, read_again, read_completion, usage_of
from text2image.queries.judging.model import Grade

GOOD = {"caption": "a", "queries": ["b"]}
SAID = json.dumps(GOOD)
OTHER = json.dumps({"caption": "c", "queries": ["d"]})


def completion(content: Any, **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('<think>{"hm"}</think>```json\n{"caption": "a", "queries": ["b"]}\n```', GOOD),
        ('{"caption": "a", "queries": [" "], "more": 1}', {"caption": "a", "queries": []}),
        ('{"caption": "", "queries": []}', {"failure": "empty answer"}),
        ('{"caption": ["a"], "queries": "b"}', {"failure": "malformed answer"}),
        ("[" * 5000, {"failure": "malformed answer"}),
        ('{"a":' * 5000, {"failure": "malformed answer"}),
        (None, {"failure": "empty answer"}),
        (17, {"failure": "empty answer"}),
        (f"First {OTHER}, no: {SAID}", GOOD),
        (f"<think>{OTHER}</think>{SAID}<think>{OTHER}</think>", GOOD),
        (f"<thinking>a <thinking> b</thinking> {OTHER}</thinking>{SAID}", GOOD),
        (f"<|channel|>analysis<|message|>{OTHER}<|end|><|channel|>final<|message|>{SAID}", GOOD),
        (f"◁think▷{OTHER}◁/think▷{SAID}", GOOD),
        (f"{SAID}</think>", GOOD),
        (f"{OTHER}</think>{SAID}", GOOD),
        (f"<think>{SAID}", {"failure": "thoughts without an answer"}),
        (f'{{"result": {SAID}}}', GOOD),
        (f'{{"caption": "a", "queries": ["b"], "example": {OTHER}}}', GOOD),
        ('{"caption": "a {b} c", "queries": ["b"]}', {"caption": "a {b} c", "queries": ["b"]}),
        ('{"caption": "a", "queries": ["query 1", "b", "..."]}', GOOD),
        ('{"caption": "one short sentence", "queries": ["query 1"]}', {"failure": "answer that copies the form"}),
        ('{"caption": "a shoe", "queries": ["example one"]}', {"caption": "a shoe", "queries": []}),
        ('{"caption": "A Form", "queries": ["Example  ONE"]}', {"failure": "answer that copies the form"}),
        ([{"type": "text", "text": SAID[:9]}, {"type": "text", "text": SAID[9:]}], GOOD),
        ([{"type": "reasoning", "text": OTHER}, SAID], GOOD),
        ({"type": "text", "text": {"value": SAID}}, GOOD),
    ],
)  # fmt: skip
def test_answers_of_servers_that_ignore_the_schema(content: Any, expected: dict[str, Any]) -> None:
    prompt = 'Answer like {"caption": "a form", "queries": ["example one"]}'
    assert read_completion(completion(content), Texts, prompt) == expected


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_that_come_apart_are_no_answer(name: str) -> None:
    assert read_completion(completion(None, **{name: SAID}), Texts) == {
        "failure": "thoughts without an answer"
    }
    assert read_completion(completion(SAID, **{name: OTHER}), Texts) == GOOD


def test_a_grade_is_read_the_same_way() -> None:
    said = '<think>{"reason": "no", "grade": 0}</think>{"reason": "why", "grade": 1} so {"reason": "fits", "grade": 3}'
    assert read_completion(completion(said), Grade) == {"reason": "fits", "grade": 3}
    example = '{"reason": "it fits", "grade": 2}'
    assert read_completion(completion(example), Grade, f"Say {example}") == {
        "failure": "answer that copies the form"
    }


@pytest.mark.parametrize(
    "text", ["query 1", "Query 12", "search query 3", "one short sentence.", "...", "string", "<your query>"]
)
def test_texts_that_stand_in_for_others(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text", ["query 123456", "query letters", "string bag", "first query of the day", "a <b>", "sale..."]
)
def test_texts_that_do_not(text: str) -> None:
    assert not is_placeholder(text)


def test_marks_of_thoughts_are_taken_out_as_a_plain_loop_would() -> None:
    """Against a slow oracle, for all sequences of marks and letters up to six."""

    def oracle(parts: list[str]) -> str:
        kept, thinking = "", False
        for number, part in enumerate(parts):
            if part == "<think>":
                thinking = True
            elif part == "</think>":
                rest = "".join(parts[number + 1 :])
                kept = kept if thinking or not rest else ""
                thinking = False
            elif not thinking:
                kept += part
        return kept

    def sequences(length: int) -> list[list[str]]:
        shorter = sequences(length - 1) if length else []
        return (
            [[], *([*s, part] for s in shorter for part in ("<think>", "</think>", "x"))] if length else [[]]
        )

    for parts in sequences(6):
        assert without_thoughts("".join(parts)) == oracle(parts), parts


QUESTION = Question(lambda sent: {}, Texts, "t", "k", "")


def test_a_better_reader_reads_again_what_could_not_be_read() -> None:
    unread = {
        "failure": "malformed answer",
        "usage": {"input_tokens": 1, "output_tokens": 2},
        "raw": json.dumps(completion(SAID)),
    }
    stored: dict[str, dict[str, Any]] = {
        "none": {"failure": "malformed answer", "usage": {}},
        "earlier": unread | {"reader": READER - 1},
        "still not": unread | {"reader": READER - 1, "raw": json.dumps(completion("no"))},
        "before": unread
        | {"reader": READER - 1, "raw": json.dumps(completion("no"))}
        | {"earlier": [{"raw": "[" * 5000}, {"raw": json.dumps(completion(SAID))}]},
        "present": unread | {"reader": READER},
        "fine": GOOD | {"raw": "x", "reader": READER - 1},
        "nonsense": unread | {"reader": READER - 1, "raw": "[" * 5000},
    }
    read = {key: read_again(answer, QUESTION) for key, answer in stored.items() if is_unread(answer)}
    assert read.keys() == {"earlier", "still not", "before", "nonsense"}
    assert read["earlier"] == GOOD | {"usage": unread["usage"], "raw": unread["raw"], "reader": READER}
    assert read["still not"] == stored["still not"] | {"reader": READER}
    assert read["before"].items() >= GOOD.items() and read["before"]["earlier"] == stored["before"]["earlier"]
    assert read["nonsense"] == stored["nonsense"] | {"reader": READER}
    assert not any(map(is_unread, read.values()))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 400, "completion_tokens": 30}, {"input_tokens": 400, "output_tokens": 30}),
        ({"prompt_tokens": 400, "completion_tokens": 3}, {"input_tokens": 1000, "output_tokens": 500, "estimated": True}),
        ({"prompt_tokens": 4000, "completion_tokens": 0}, {"input_tokens": 4000, "output_tokens": 500, "estimated": True}),
        ({"prompt_tokens": 20, "completion_tokens": 30}, {"input_tokens": 1000, "output_tokens": 500, "estimated": True}),
        ({"prompt_tokens": True, "completion_tokens": 30.0}, {"input_tokens": 1000, "output_tokens": 500, "estimated": True}),
        ({"prompt_tokens": 99_999_999, "completion_tokens": 30}, {"input_tokens": 1000, "output_tokens": 500, "estimated": True}),
        (None, {"input_tokens": 1000, "output_tokens": 500, "estimated": True}),
    ],
)  # fmt: skip
def test_usage_is_never_less_than_what_was_sent(usage: Any, expected: dict[str, Any]) -> None:
    body = completion("x" * 100, reasoning_content="y" * 20) | {"usage": usage}
    assert usage_of(body, "p" * 80, (1000, 500)) == expected
