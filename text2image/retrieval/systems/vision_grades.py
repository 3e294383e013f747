"""Grades of a vision model that is shown query and picture, for the kind ``rerank`` with ``by: openai``.

The model is asked as it is for judgements (:mod:`text2image.queries.judging.model`), and its answers are kept in the same
store under the same keys: what ``t2i judge`` has paid for is not bought again, and the other way round.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from text2image.base.console import InputError, say
from text2image.base.settings import OpenaiRuntime
from text2image.collection.manifest import ImageFile
from text2image.formats.texts import counted
from text2image.labels.openai.budget import USUAL_OUTPUT, cost, first_guess
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer
from text2image.queries.judging.model import (
    AskedPair,
    Asking,
    estimate_pairs,
    grade_pairs,
    judge_determinants,
    judge_settings,
)
from text2image.retrieval.systems.rerank import Grade, Pairs
from text2image.retrieval.systems.settings import Rerank as RerankSettings


class VisionGrader(NamedTuple):
    """Has a vision model grade pairs; :meth:`grade` is what :class:`text2image.retrieval.systems.rerank.Rerank` takes.

    Attributes:
        system: its name in ``systems``, for messages.
        title: names the system and the queries, for messages.
        settings: :func:`grader_settings`.
        runtime: how fast the service is asked.
        texts: of the queries.
        images: that are searched.
    """

    system: str
    title: str
    settings: Settings
    runtime: OpenaiRuntime
    texts: Sequence[str]
    images: Sequence[ImageFile]

    def grade(self, pairs: Pairs) -> list[Grade]:
        """Return the grades of pairs, asking for those that are not in the store.

        A pair that the model refused, or answered in no form that could be read, has the grade 0, and is counted in a
        line on the console.

        Raises:
            InputError: pairs are left without an answer, since the budget does not suffice, the server refuses or is
                gone, or a file changed. The answers so far are kept, so that the next run goes on.
        """
        asked = self._asked(pairs)
        answers: dict[str, Answer] = {}
        asking = Asking(self.title, f"systems.{self.system}.budget_usd")
        try:
            grade_pairs(asked, self.settings, self.runtime, asking, answers.update)
        except InputError as error:
            raise InputError(f"{error} ({self._graded(asked, answers)})") from None
        if missing := {pair.key for pair in asked} - answers.keys():
            raise InputError(self._unfinished(asked, answers, len(missing)))
        failures = [why for pair in asked if (why := answers[pair.key].get("failure"))]
        if failures:
            reasons = counted({why: failures.count(why) for why in failures})
            say(f"{self.title}: {len(failures):,} of {len(asked):,} pairs count as grade 0 ({reasons})")
        return [read_grade(answers[pair.key]) for pair in asked]

    def estimate(self, pairs: Pairs) -> str:
        """Say in a few lines how many pairs have no grade yet and about what they will cost; nothing is asked."""
        return f"{self.title}: {estimate_pairs(self._asked(pairs), self.settings)}"

    def _asked(self, pairs: Pairs) -> list[AskedPair]:
        return [AskedPair(self.texts[query], self.images[image]) for query, image in pairs]

    def _graded(self, asked: Sequence[AskedPair], answers: dict[str, Answer]) -> str:
        every = {pair.key for pair in asked}
        return f"{self.title}: {len(every & answers.keys()):,} of {len(every):,} pairs are graded, the next run goes on"

    def _unfinished(self, asked: Sequence[AskedPair], answers: dict[str, Answer], missing: int) -> str:
        budget = self.settings.budget_usd
        way = (
            f"raise systems.{self.system}.budget_usd (now {budget}) in params.yaml, "
            f"lower systems.{self.system}.depth, or run it again where the service gave no answer"
            if budget is not None
            else "run it again"
        )
        return (
            f"expected a grade for every pair of query and image, found {missing:,} without one "
            f"({self._graded(asked, answers)}); {way}"
        )


def grader_settings(openai: Settings, name: str, system: RerankSettings, judge_prompt: str) -> Settings:
    """Return ``label.openai`` with the prompt and the budget of a system that reranks.

    Args:
        openai: ``label.openai``.
        name, system: the system, in ``systems``.
        judge_prompt: ``judge.prompt``, for a system without a prompt of its own.

    Raises:
        InputError: a budget without prices.
    """
    key = f"systems.{name}.budget_usd"
    return judge_settings(openai, system.prompt or judge_prompt, system.budget_usd, key)


def describe_service(
    openai: Settings, name: str, system: RerankSettings, judge_prompt: str
) -> dict[str, Any]:
    """Return ``determinants`` of the grades that a system asks for, and the service's model as their ``origins``.

    ``usd_per_1000_queries`` is what they will cost about, guessed for images of the largest size before any answer has
    shown it; None without prices. The arguments are those of :func:`grader_settings`.
    """
    settings = grader_settings(openai, name, system, judge_prompt)
    asked = judge_determinants(settings) | {"retry_failures": settings.retry_failures}
    tokens = (
        first_guess(settings, settings.max_side, settings.max_side),
        min(USUAL_OUTPUT, settings.max_tokens),
    )
    priced = settings.price_input_per_million is not None
    usd = 1000 * system.depth * cost(settings, tokens, batch=False) if priced else None
    return {"determinants": asked, "origins": settings.origins(), "usd_per_1000_queries": usd}


def read_grade(answer: Answer) -> Grade:
    """Return a stored answer as a grade; 0, with what was wrong as the reason, for one that holds none."""
    if "failure" in answer:
        return Grade(0, "0", answer["failure"])
    return Grade(answer["grade"], str(answer["grade"]), answer["reason"])
