"""The section ``label.caption`` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from text2image.base.settings import Count, Section


class Settings(Section):
    model: str
    revision: str | None
    prompt: str | None
    num_beams: Count
    max_new_tokens: Count
    max_side: Annotated[int, Field(ge=32)]
    trust_remote_code: bool
