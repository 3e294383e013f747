"""What is made of answers of servers that ignore the form that was asked for."""

from typing import Any

import pytest

from text2image.labels.openai.schema import Texts, read_completion


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '<think>{"hm"}</think>```json\n{"caption": "a", "queries": ["b"]}\n```',
            {"caption": "a", "queries": ["b"]},
        ),
        ('{"caption": "a", "queries": [" "], "more": 1}', {"caption": "a", "queries": []}),
        ('{"caption": "", "queries": []}', {"failure": "empty answer"}),
        ('{"caption": ["a"], "queries": "b"}', {"failure": "malformed answer"}),
        ("[" * 5000, {"failure": "malformed answer"}),
        ('{"a":' * 5000, {"failure": "malformed answer"}),
        (None, {"failure": "empty answer"}),
        (17, {"failure": "empty answer"}),
    ],
)
def test_answers_of_servers_that_ignore_the_schema(content: Any, expected: dict[str, Any]) -> None:
    body = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    assert read_completion(body, Texts) == expected
