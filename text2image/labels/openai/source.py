"""Label source ``openai``: what a vision model on a server says, paid for by the token.

Any server that speaks the chat-completions protocol will do (``label.openai.base_url``): OpenAI, vLLM,
Ollama, LM Studio. Each answer holds a caption and search queries; which of them become labels is
``label.openai.queries`` and costs nothing to change. Refused, empty and malformed answers are paid for
too: they are kept, listed, and asked again only with ``label.openai.retry_failures``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from text2image.base.console import say
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.budget import BATCH_SHARE, answer_cost, cost, figures, first_guess, usages
from text2image.labels.openai.pending import PendingBatches
from text2image.labels.openai.schema import EMPTY, determinants
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer, Context, Label, Labeler, NoLabel

USUAL_OUTPUT = 60  # tokens of an answer, where none has come yet


def labeler(settings: Settings, context: Context) -> Labeler:
    """Return the labeler; it reaches the network, and looks for the key, only when it has to ask."""

    def resume(images: Sequence[ImageFile], kept: Mapping[str, Answer]) -> Iterator[tuple[str, Answer]]:
        pending = PendingBatches(determinants(settings))
        todo = unanswered(settings, images, kept)
        waiting = pending.images()
        if settings.mode == "sync" and waiting:
            say(
                f"label openai: {len(waiting)} images wait in a batch and are not asked again; "
                "set label.openai.mode to batch to collect it"
            )
            todo = [image for image in todo if image.image_id not in waiting]
        if not todo and (settings.mode == "sync" or not waiting):
            return
        if settings.mode == "batch":
            from text2image.labels.openai.batch import ask_in_batches

            outcomes = ask_in_batches(todo, kept, settings, context.runtime.openai, pending)
        else:
            from text2image.labels.openai.ask import ask_now

            outcomes = ask_now(todo, kept, settings, context.runtime.openai)
        with closing(outcomes):
            for image_id, answer in outcomes:
                yield image_id, with_earlier(answer, kept.get(image_id))

    def read(image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        if "failure" in answer:
            return [NoLabel(image_id, answer["failure"])]
        parts = {"caption": [answer["caption"]], "queries": answer["queries"]}
        texts = dict.fromkeys(text for part in settings.queries for text in parts[part] if text.strip())
        return [Label(image_id, text, None) for text in texts] or [NoLabel(image_id, EMPTY)]

    return Labeler(
        determinants=determinants(settings),
        ask=lambda images: resume(images, {}),
        resume=resume,
        read=read,
        limit=settings.max_images,
        figures=lambda answers: figures(settings, answers),
        estimate=lambda images, kept: estimate(settings, images, kept),
    )


def unanswered(
    settings: Settings, images: Sequence[ImageFile], kept: Mapping[str, Mapping[str, Any]]
) -> list[ImageFile]:
    """Return the images to ask about: new ones, and failures if ``retry_failures`` says so."""
    done = {i for i, answer in kept.items() if not (settings.retry_failures and "failure" in answer)}
    return [image for image in images if image.image_id not in done]


def with_earlier(answer: Answer, before: Mapping[str, Any] | None) -> Answer:
    """Return an answer that remembers what an earlier failure for the same image cost.

    An attempt that brought nothing leaves an earlier answer as it is.
    """
    if before is None or "usage" not in before:
        return answer
    return dict(before) if "usage" not in answer else answer | {"earlier": usages(before)}


def estimate(settings: Settings, images: Sequence[ImageFile], kept: Mapping[str, Answer]) -> str:
    """Say how many images are not labelled yet and about what they will cost, from answers so far."""
    count = len(unanswered(settings, images, kept))
    known = [usage for answer in kept.values() for usage in usages(answer)]
    if known:
        each = tuple(
            sum(usage[key] for usage in known) / len(known) for key in ("input_tokens", "output_tokens")
        )
        basis = f"as the {len(known)} answers so far"
    else:
        each = (
            first_guess(settings, settings.max_side, settings.max_side),
            min(USUAL_OUTPUT, settings.max_tokens),
        )
        basis = "a guess for the largest images: try label.openai.max_images first, and a better one follows"
    price = cost(settings, (each[0], each[1]), batch=settings.mode == "batch")
    spent = sum(answer_cost(settings, answer) for answer in kept.values())
    if settings.price_input_per_million is None:
        money = "no prices are given in label.openai"
    else:
        money = f"about {count * price:.2f} USD, {spent:.2f} USD spent on this gallery so far"
    half = f" at {BATCH_SHARE:.0%} of the price" if settings.mode == "batch" else ""
    return (
        f"label openai: {count} of {len(images)} images not labelled yet\n"
        f"{settings.model} ({settings.mode}{half}): about {each[0]:.0f} input and {each[1]:.0f} output tokens "
        f"an image ({basis})\n{money}"
    )
