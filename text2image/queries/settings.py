"""How params.yaml says what counts as relevant: the section ``queries``."""

from typing import Annotated, Literal

from pydantic import Field

from text2image.base.settings import Section, Share


class Cosine(Section):
    model: str | None
    threshold: Annotated[float, Field(ge=-1.0, le=1.0)]


class Queries(Section):
    cosine: Cosine
    relevance: Literal["strict", "near_duplicates"]
    max_relevant_share: Share
    generic_words: list[str]
