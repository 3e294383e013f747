"""How params.yaml describes the systems that compete: entries of the section ``systems``, by ``kind``."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from text2image.base.settings import Amount, Section

OPENAI = "openai"
"""What ``by`` says for the vision model of ``label.openai``."""

Names = Annotated[list[str], Field(min_length=1)]


class Vision(Section):
    """Cosine similarity of a model's vectors of query and image; what the name of a model in ``embed.models`` means."""

    kind: Literal["vision"]
    model: str


class Words(Section):
    """Lexical search in texts that are known of the images.

    ``ngrams``: likeness of character n-grams, which forgives misread letters; ``words``: BM25; ``both``: their mean.
    """

    kind: Literal["words"]
    fields: Names
    match: Literal["ngrams", "words", "both"] = "ngrams"


class Meaning(Section):
    """Cosine similarity of a text encoder between the query and texts that are known of the images.

    ``model``: one of ``embed.models``, whose text tower it is, or a sentence-transformers model: a name on the hub or a
    folder.
    """

    kind: Literal["meaning"]
    fields: Names
    model: str


class Fusion(Section):
    """Other systems together.

    ``scores``: the weighted sum of standardised scores (:mod:`text2image.retrieval.systems.fusion`); ``ranks``: reciprocal
    rank fusion.
    ``weights``: by system, or ``tuned`` on each source's queries, each query by weights that did not see its cluster.
    Only the ratios of weights matter.
    """

    kind: Literal["fusion"]
    of: Names
    method: Literal["scores", "ranks"] = "scores"
    weights: Literal["tuned"] | dict[str, Amount] = "tuned"

    @model_validator(mode="after")
    def _a_weight_each(self) -> Self:
        if len(set(self.of)) < len(self.of):
            raise ValueError(f"expected systems without repeats under of, found {', '.join(self.of)}")
        if self.weights == "tuned":
            return self
        if self.weights.keys() != set(self.of):
            raise ValueError(
                f"expected weights: tuned, or a weight of each of {', '.join(self.of)}, "
                f"found weights of {', '.join(self.weights) or 'none'}"
            )
        if not any(self.weights.values()):
            raise ValueError("expected a weight above 0, found 0 of every system")
        return self


class Rerank(Section):
    """The first images of another system in a new order.

    ``by``: ``openai``, the vision model of ``label.openai``, which is shown query and picture and gives a grade; or a
    cross-encoder of sentence-transformers (a name on the hub or a folder), which reads query and ``fields``.
    ``prompt``: null for that of ``judge.prompt``. ``budget_usd``: of the grades for one source's queries.
    """

    kind: Literal["rerank"]
    of: str
    depth: Annotated[int, Field(ge=1, le=1000)] = 10
    by: Annotated[str, Field(min_length=1)] = OPENAI
    fields: list[str] = Field(default_factory=list)
    prompt: Annotated[str, Field(min_length=1)] | None = None
    budget_usd: Amount | None = None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.by == OPENAI and self.fields:
            raise ValueError(f"expected no fields with by: {OPENAI}, which is shown the picture itself")
        if self.by != OPENAI and not self.fields:
            raise ValueError(f"expected fields that '{self.by}' reads, as in fields: [ocr]")
        if self.by != OPENAI and not (self.prompt is None and self.budget_usd is None):
            raise ValueError(
                f"expected neither prompt nor budget_usd with '{self.by}', which costs only time"
            )
        return self


System = Annotated[Vision | Words | Meaning | Fusion | Rerank, Field(discriminator="kind")]


def parts_of(system: System) -> list[str]:
    """Return the names of the systems that a system is made of; none for most."""
    if isinstance(system, Fusion):
        return system.of
    return [system.of] if isinstance(system, Rerank) else []


class Systems:
    """The systems that params.yaml describes, by name; the name of a model in use stands for that model alone.

    Args:
        described: the section ``systems``.
        models: ``embed.models``.
    """

    def __init__(self, described: Mapping[str, System], models: Sequence[str]) -> None:
        alone = {model: Vision(kind="vision", model=model) for model in models}
        self._by_name: dict[str, System] = {**alone, **described}

    def __getitem__(self, name: str) -> System:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def needed(self, name: str) -> list[str]:
        """Return a system's name and those of all that it is made of, each once, itself last.

        Raises:
            KeyError: one is not described.
            RecursionError: one is made of itself.
        """
        parts = [needed for part in parts_of(self[name]) for needed in self.needed(part)]
        return list(dict.fromkeys([*parts, name]))

    def models(self, name: str) -> list[str]:
        """Return the models of ``embed.models`` whose image vectors a system reads."""
        systems = map(self.__getitem__, self.needed(name))
        return list(dict.fromkeys(one.model for one in systems if isinstance(one, Vision)))

    def fields(self, name: str) -> list[str]:
        """Return the fields of texts that a system reads."""
        systems = map(self.__getitem__, self.needed(name))
        reading = (one.fields for one in systems if isinstance(one, Words | Meaning | Rerank))
        return list(dict.fromkeys(field for fields in reading for field in fields))

    def text_models(self, name: str) -> dict[str, str]:
        """Return ``{model: params key}`` of the models that read texts for a system: text and cross-encoders."""
        keys = {}
        for needed in self.needed(name):
            system = self[needed]
            if isinstance(system, Meaning):
                keys[system.model] = f"systems.{needed}.model"
            elif isinstance(system, Rerank) and system.by != OPENAI:
                keys[system.by] = f"systems.{needed}.by"
        return keys

    def paid(self, name: str) -> dict[str, Rerank]:
        """Return what asks the paid vision model in a system, by name."""
        systems = {needed: self[needed] for needed in self.needed(name)}
        return {
            needed: one for needed, one in systems.items() if isinstance(one, Rerank) and one.by == OPENAI
        }
