"""Which images to ask about, and what is remembered of an earlier attempt that brought nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from text2image.collection.manifest import ImageFile
from text2image.labels.openai.budget import usages
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer


def unanswered(
    settings: Settings, images: Sequence[ImageFile], stored: Mapping[str, Answer]
) -> list[ImageFile]:
    """Return the images to ask about: new ones, and failures if ``retry_failures`` says so."""
    done = {i for i, answer in stored.items() if not (settings.retry_failures and "failure" in answer)}
    return [image for image in images if image.image_id not in done]


def with_earlier(answer: Answer, earlier: Answer | None) -> Answer:
    """Return an answer that remembers what an earlier failure for the same image cost.

    An attempt that brought nothing leaves an earlier answer as it is.
    """
    if earlier is None or "usage" not in earlier:
        return answer
    return dict(earlier) if "usage" not in answer else answer | {"earlier": usages(earlier)}
