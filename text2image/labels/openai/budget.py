"""Tokens and money: what answers cost, what the next one may cost, and what is asked again at that price."""

import asyncio
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from statistics import fmean
from typing import Any

from text2image.collection.manifest import ImageFile
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer

BATCH_SHARE = 0.5  # of the price, for answers that came in a batch
PATCH = 32  # pixels: models see images in patches …
TOKENS_PER_PATCH = 2.5  # … and charge at most about so many tokens each
CHARACTERS_PER_TOKEN = 3
ROUNDING = 1e-9  # USD, what adding and subtracting floats may leave
OTHER_TOKENS = 250  # schema and message frames
USUAL_OUTPUT = 60  # tokens of an answer, where none has come yet


def cost(settings: Settings, tokens: tuple[float, float], *, batch: bool) -> float:
    """Return the price in USD of ``(input, output)`` tokens; 0 where no prices are given."""
    prices = settings.price_input_per_million or 0.0, settings.price_output_per_million or 0.0
    share = BATCH_SHARE if batch else 1.0
    return share * (tokens[0] * prices[0] + tokens[1] * prices[1]) / 1e6


def answer_cost(settings: Settings, answer: Answer) -> float:
    """Return what a stored answer cost in USD at today's prices, earlier failures for its image included."""
    return sum(
        cost(settings, (usage["input_tokens"], usage["output_tokens"]), batch="batch" in usage)
        for usage in usages(answer)
    )


def usages(answer: Answer) -> list[dict[str, Any]]:
    """Return the usage of every request that was answered for an image, the last one first, with what came (``raw``)."""
    if "usage" not in answer:
        return []
    raw = {"raw": answer["raw"]} if "raw" in answer else {}
    return [answer["usage"] | raw, *answer.get("earlier", [])]


def unanswered(
    settings: Settings, images: Mapping[str, ImageFile], stored: Mapping[str, Answer]
) -> dict[str, ImageFile]:
    """Return the images to ask about: new ones, and failures if ``retry_failures`` says so.

    Args:
        images, stored: by what answers are stored under, as is the result.
    """
    done = {k for k, answer in stored.items() if not (settings.retry_failures and "failure" in answer)}
    return {key: image for key, image in images.items() if key not in done}


def with_earlier(answer: Answer, earlier: Answer | None) -> Answer:
    """Return an answer that remembers what an earlier failure for the same image cost.

    An attempt that brought nothing leaves an earlier answer as it is.
    """
    if earlier is None or "usage" not in earlier:
        return answer
    return dict(earlier) if "usage" not in answer else answer | {"earlier": usages(earlier)}


def figures(settings: Settings, answers: Iterable[Answer]) -> dict[str, Any]:
    """Return requests, tokens and cost of answers for metrics; ``cost_usd`` is None without prices.

    Counts requests that were answered: those that were turned away cost nothing and differ from run
    to run.
    """
    paid = [answer for answer in answers if "usage" in answer]
    spent = [usage for answer in paid for usage in usages(answer)]
    priced = settings.price_input_per_million is not None
    return {
        "requests": len(spent),
        "input_tokens": sum(usage["input_tokens"] for usage in spent),
        "output_tokens": sum(usage["output_tokens"] for usage in spent),
        "cost_usd": math.fsum(answer_cost(settings, answer) for answer in paid) if priced else None,
        "failures": dict(sorted(Counter(a["failure"] for a in paid if "failure" in a).items())),
    }


def first_guess(settings: Settings, width: int, height: int) -> float:
    """Return about how many input tokens a request about an image of this size (pixels) takes."""
    patches = math.ceil(width / PATCH) * math.ceil(height / PATCH)
    return patches * TOKENS_PER_PATCH + len(settings.prompt) / CHARACTERS_PER_TOKEN + OTHER_TOKENS


def estimate(
    settings: Settings,
    images: int,
    answers: Collection[Answer],
    first: str = "label.openai.max_images",
    lost: float = 0.0,
) -> str:
    """Say about what answers for so many more images will cost, going by the ``answers`` so far.

    Args:
        first: the params key by which some can be asked about first.
        lost: USD that requests without a stored answer may have cost.
    """
    known = [usage for answer in answers for usage in usages(answer)]
    if known:
        sent, received = (fmean(usage[key] for usage in known) for key in ("input_tokens", "output_tokens"))
        basis = f"as the {len(known)} answers so far"
    else:
        sent = first_guess(settings, settings.max_side, settings.max_side)
        received = min(USUAL_OUTPUT, settings.max_tokens)
        basis = f"a guess for the largest images: try {first} first, and a better one follows"
    in_batches = settings.mode == "batch"
    price = images * cost(settings, (sent, received), batch=in_batches)
    spent = sum(answer_cost(settings, answer) for answer in answers) + lost
    if settings.price_input_per_million is None:
        money = "no prices are given in label.openai"
    else:
        money = f"about {price:.2f} USD, {spent:.2f} USD spent on this gallery so far"
    if lost:
        money += f", of which {lost:.2f} USD at most for requests whose answers were lost"
    half = f" at {BATCH_SHARE:.0%} of the price" if in_batches else ""
    return (
        f"{settings.model} ({settings.mode}{half}): about {sent:.0f} input and {received:.0f} output tokens "
        f"an image ({basis})\n{money}"
    )


class Tokens:
    """Upper estimates of tokens, corrected by what answers report."""

    def __init__(self, settings: Settings, answers: Iterable[Answer]) -> None:
        self._settings = settings
        self._ratio = 1.0
        reported = [usage for answer in answers for usage in usages(answer) if "estimated" not in usage]
        self._most = max((usage["input_tokens"] for usage in reported), default=0)
        self._longest = max((usage["output_tokens"] for usage in reported), default=0)

    @property
    def known(self) -> bool:
        """Whether any answer has shown yet what the model really takes."""
        return self._most > 0

    def estimate(self, width: int, height: int) -> tuple[int, int]:
        """Return how many input and output tokens a request about an image of this size (pixels) takes at most.

        A server that goes beyond ``max_tokens`` is expected to do so again.
        """
        sent = max(self._most, self._ratio * first_guess(self._settings, width, height))
        return math.ceil(sent), max(self._settings.max_tokens, self._longest)

    def learn(self, width: int, height: int, usage: Mapping[str, Any]) -> None:
        """Take note of what one request took, if the server has said it."""
        if "estimated" not in usage:
            sent = usage["input_tokens"]
            self._ratio = max(self._ratio, sent / first_guess(self._settings, width, height))
            self._most = max(self._most, sent)
            self._longest = max(self._longest, usage["output_tokens"])


class Budget:
    """Money spent (on ``answers`` so far) and promised: every request, at its worst price, before it is sent.

    All amounts in USD. ``limit`` None for no limit.
    """

    def __init__(self, settings: Settings, answers: Iterable[Answer]) -> None:
        self.limit, self.promised = settings.budget_usd, 0.0
        self.spent = sum(answer_cost(settings, answer) for answer in answers)
        self._settled = asyncio.Event()

    def fits(self, amount: float) -> bool:
        """Say whether ``amount`` more can be promised."""
        return self.limit is None or self.spent + self.promised + amount <= self.limit + ROUNDING

    async def promise(self, amount: float) -> bool:
        """Reserve ``amount``, waiting for requests in flight to turn out cheaper; False if it never fits."""
        while not self.fits(amount):
            if self.promised <= 0:
                return False
            self._settled.clear()
            await self._settled.wait()
        self.promised += amount
        return True

    def settle(self, amount: float, actual: float) -> None:
        """Replace a promise by what it really cost."""
        self.promised = max(0.0, self.promised - amount)
        self.spent += actual
        if self.promised < ROUNDING:
            self.promised = 0.0
        self._settled.set()
