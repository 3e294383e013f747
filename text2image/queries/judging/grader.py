"""What the vision model is asked as a judge, and what is made of its answer."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from text2image.formats.texts import normalise_text
from text2image.labels.openai.encode import Upload
from text2image.labels.openai.question import Question
from text2image.labels.openai.schema import read_completion, request_body
from text2image.labels.openai.settings import Settings

QUESTION = "{prompt}\nSearch query: {query}"
REASON_CHARACTERS = 300
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "Why, in at most fifteen words."},
        "grade": {"type": "integer", "enum": [0, 1, 2, 3]},
    },
    "required": ["reason", "grade"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "judgement", "schema": SCHEMA, "strict": True}}


class Grade(BaseModel):
    """An answer in the form that was asked for."""

    reason: str
    grade: Annotated[int, Field(ge=0, le=3)]


def question(settings: Settings, texts: Mapping[str, str]) -> Question:
    """Return what is asked about each pair of image and query.

    Args:
        settings: ``label.openai`` with the judge's prompt and budget.
        texts: ``{key of the pair: query text}``; uploads carry the key.
    """

    def body(sent: Upload) -> dict[str, Any]:
        query = json.dumps(texts[sent.image_id], ensure_ascii=False)
        prompt = QUESTION.format(prompt=settings.prompt, query=query)
        asked = request_body(settings.model_copy(update={"prompt": prompt}), sent)
        return asked | {"response_format": FORMAT}

    def read(answer: dict[str, Any]) -> dict[str, Any]:
        return read_completion(answer, Grade, _stored)

    return Question(body, read, "judge", "judge.budget_usd")


def _stored(answer: Grade) -> dict[str, Any]:
    return {"grade": answer.grade, "reason": normalise_text(answer.reason)[:REASON_CHARACTERS]}
