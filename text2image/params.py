"""params.yaml, read once and checked: a misspelt key or a wrong type is one clear sentence.

The sections that a subject of the library reads itself are described there (models in
:mod:`text2image.encoders.settings`, label sources in ``text2image.labels.NAME.source``, …); here they
are put together, and checked against each other.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, field_validator, model_validator

from text2image.base.settings import Amount, Count, Runtime, Section, Share, load_settings
from text2image.encoders.settings import Model
from text2image.finetuning.settings import FinetuneRun
from text2image.labels.protocol.source import SOURCES, settings_class
from text2image.queries.settings import Queries
from text2image.retrieval.systems.settings import Meaning, System, Systems, Vision, parts_of

PARAMS_FILE = Path("params.yaml")
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
MOST_PIXELS = 178_956_970  # Pillow refuses larger images by itself, as decompression bombs


def _distinct(names: list[str]) -> list[str]:
    if not names or len(set(names)) != len(names):
        raise ValueError("expected at least one name, without repeats")
    return names


Names = Annotated[list[str], AfterValidator(_distinct)]


class Data(Section):
    images: str


class Catalog(Section):
    max_rejected: Share
    max_pixels: Annotated[int, Field(ge=1, le=MOST_PIXELS)]
    near_duplicate_bits: Annotated[int, Field(ge=0, le=31)]
    near_duplicate_levels: Annotated[float, Field(ge=0.0, le=255.0)]


class LabelSection(Section):
    """The section ``label``: the sources in use, and under its name the settings of each, as its module has them."""

    sources: Names

    @field_validator("sources")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if not set(value) <= set(SOURCES):
            raise ValueError(f"expected some of {', '.join(SOURCES)}")
        return value

    def settings(self, source: str) -> Section:
        """Return the settings of a source."""
        settings: Section = getattr(self, source)
        return settings

    if TYPE_CHECKING:

        def __getattr__(self, source: str) -> Any: ...


if TYPE_CHECKING:
    Label = LabelSection
else:
    Label = create_model(
        "Label", __base__=LabelSection, **{source: (settings_class(source), ...) for source in SOURCES}
    )


class Embed(Section):
    models: Names
    precision: Literal["fp32", "bf16", "fp16"]
    decode: Literal["cpu", "gpu"] = "cpu"


class Zoo(Section):
    models: Names


class Finetune(Section):
    models: list[str]
    runs: dict[str, FinetuneRun]


class Retrieve(Section):
    systems: Names
    fields: list[str]
    depth: Count

    @field_validator("fields")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if not set(value) <= set(SOURCES) or len(set(value)) != len(value):
            raise ValueError(f"expected some of {', '.join(SOURCES)}, without repeats, or none")
        return value

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, value: Any) -> Any:
        if isinstance(value, dict) and "index" in value:
            raise ValueError(
                "the key index is a section of its own now: rankings are always exact, and index.models lists the "
                "models that get an approximate index besides (index.kind: hnsw, ivf or ivfpq)"
            )
        return value


class Index(Section):
    models: list[str]
    kind: Literal["hnsw", "ivf", "ivfpq"]


class Evaluate(Section):
    k: list[Count]
    resamples: Annotated[int, Field(ge=2000)]
    seed: int
    part: Literal["train", "validation", "test"]

    @field_validator("k")
    @classmethod
    def _increasing(cls, value: list[int]) -> list[int]:
        if not value or value != sorted(set(value)):
            raise ValueError("expected at least one k, in increasing order and without repeats")
        return value


class Examples(Section):
    best: Annotated[int, Field(ge=1, le=50)]
    worst: Annotated[int, Field(ge=1, le=50)]
    instructive: Annotated[int, Field(ge=1, le=25)]


class Judge(Section):
    depth: Count
    by: Annotated[str, Field(min_length=1)] | None
    budget_usd: Amount | None
    prompt: Annotated[str, Field(min_length=1)]


class Params(Section):
    """The whole of params.yaml."""

    data: Data
    catalog: Catalog
    label: Label
    queries: Queries
    models: dict[str, Model]
    systems: dict[str, System]
    finetune: Finetune
    embed: Embed
    zoo: Zoo
    retrieve: Retrieve
    index: Index
    evaluate: Evaluate
    examples: Examples
    judge: Judge
    runtime: Runtime

    @model_validator(mode="after")
    def _names(self) -> Self:
        sections = ("models", self.models), ("finetune.runs", self.finetune.runs), ("systems", self.systems)
        for section, named in sections:
            for name in named:
                if not NAME_PATTERN.fullmatch(name):
                    raise ValueError(
                        f"{section}.{name}: expected a name of letters, digits, '_' and '-' "
                        "(DVC cannot address dots)"
                    )
        for key, names, known, expected in (
            ("embed.models", self.embed.models, self.models, "names described under models:"),
            ("zoo.models", self.zoo.models, self.models, "names described under models:"),
            (
                "index.models",
                self.index.models,
                set(self.embed.models) & set(self.retrieve.systems),
                "some of embed.models that are in retrieve.systems, too, or none",
            ),
            ("finetune.models", self.finetune.models, self.finetune.runs, "names of finetune.runs"),
        ):
            unknown = [name for name in names if name not in known]
            if unknown or len(set(names)) != len(names):
                raise ValueError(f"{key}: expected {expected}, without repeats, found {unknown or names}")
        alike = self.queries.cosine.model
        if alike is not None and alike not in self.embed.models:
            raise ValueError(f"queries.cosine.model: expected null or one of embed.models, found '{alike}'")
        return self

    @model_validator(mode="after")
    def _systems(self) -> Self:
        """Check what systems are made of and read; those that are not in use may name models that are not, either."""
        if both := [name for name in self.systems if name in self.models]:
            raise ValueError(f"systems: expected other names than those under models:, found {both}")
        for name in self.retrieve.systems:
            if name not in self.used:
                known = [*self.systems, *self.embed.models]
                raise ValueError(
                    f"retrieve.systems: expected names under systems: or of embed.models ({', '.join(known)}), "
                    f"found '{name}'"
                )
            self._check_parts(name, ())
            unread = [field for field in self.used.fields(name) if field not in self.retrieve.fields]
            if unread:
                raise ValueError(
                    f"systems.{name}: searches in {', '.join(unread)}, expected that in retrieve.fields too, "
                    f"found {self.retrieve.fields}"
                )
        return self

    def _check_parts(self, name: str, whole: tuple[str, ...]) -> None:
        """Refuse a system that is made of itself or of what is not in use; ``whole``: what it is a part of."""
        if name in whole:
            raise ValueError(
                f"systems.{name}: expected a system that is not made of itself, found {name} in it"
            )
        system = self.used[name]
        if (
            isinstance(system, Vision)
            or (isinstance(system, Meaning) and system.model in self.models)  # no name on the hub
        ) and system.model not in self.embed.models:
            raise ValueError(f"systems.{name}.model: expected one of embed.models, found '{system.model}'")
        for part in parts_of(system):
            if part not in self.used:
                raise ValueError(
                    f"systems.{name}.of: expected names under systems: or of embed.models, found '{part}'"
                )
            self._check_parts(part, (*whole, name))

    @cached_property
    def used(self) -> Systems:
        """The systems that may be used: described ones, and the models in use."""
        return Systems(self.systems, self.embed.models)

    @model_validator(mode="after")
    def _tuned(self) -> Self:
        """Check what fine-tuning and the models that it makes say of each other."""
        for name in self.finetune.models:
            key, run = f"finetune.runs.{name}", self.finetune.runs[name]
            if run.base not in self.models or self.models[run.base].run is not None:
                raise ValueError(
                    f"{key}.base: expected one of models: that is not itself fine-tuned, found '{run.base}'"
                )
            if not set(run.sources) <= set(self.label.sources):
                raise ValueError(f"{key}.sources: expected some of label.sources, found {run.sources}")
        for name, made_by in self.tuned_models().items():
            if made_by not in self.finetune.models:
                raise ValueError(
                    f"embed.models: '{name}' is made by fine-tuning, expected '{made_by}' in finetune.models too"
                )
        return self

    def tuned_models(self) -> dict[str, str]:
        """Return ``{model in use: the fine-tuning run that makes it}``."""
        return {name: run for name in self.embed.models if (run := self.models[name].run) is not None}

    def tuned_runs(self) -> list[str]:
        """Return the fine-tuning runs that make a model in use, sorted."""
        return sorted(set(self.tuned_models().values()))


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check params.yaml; see :func:`text2image.base.settings.load_settings` for the errors."""
    return load_settings(path, Params)
