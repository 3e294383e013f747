"""params.yaml, read once and checked: a misspelt key or a wrong type is one clear sentence."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from text2image.base.console import InputError, one_line

PARAMS_FILE = Path("params.yaml")
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Part = Annotated[float, Field(gt=0.0, lt=1.0)]

TUNED = "local-dir:data/tuned/"
"""How the name of a model begins that ``finetune@NAME`` makes; NAME follows."""


class Section(BaseModel):
    """A section of params.yaml: unknown keys are errors and types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Sample(Section):
    campaigns: Count
    seed: int


class Data(Section):
    images: str


class Catalog(Section):
    max_rejected: Share
    max_pixels: Count
    near_duplicate_bits: Annotated[int, Field(ge=0, le=31)]


class HumanLabels(Section):
    path: str


class ImagenetLabels(Section):
    model: str
    threshold: Share


class OpenaiLabels(Section):
    model: str
    base_url: str | None
    prompt: Annotated[str, Field(min_length=1)]
    queries: Annotated[list[Literal["caption", "queries"]], Field(min_length=1)]
    max_side: Annotated[int, Field(ge=16)]
    detail: Literal["low", "high", "auto"]
    max_tokens: Count
    mode: Literal["sync", "batch"]
    retry_failures: bool
    max_images: Count | None
    budget_usd: Amount | None
    price_input_per_million: Amount | None
    price_output_per_million: Amount | None

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        url = AnyHttpUrl(value) if value is not None and value.isprintable() else None
        if value is not None and (url is None or url.username or url.password or url.query):
            raise ValueError("expected an address such as http://localhost:11434/v1, without a password")
        return value

    @model_validator(mode="after")
    def _prices(self) -> OpenaiLabels:
        prices = (self.price_input_per_million, self.price_output_per_million)
        if None in prices and (self.budget_usd is not None or prices != (None, None)):
            raise ValueError("expected both prices per million tokens, or neither of them nor a budget_usd")
        return self


class CaptionLabels(Section):
    model: str
    revision: str | None
    prompt: str | None
    num_beams: Count
    max_new_tokens: Count
    max_side: Annotated[int, Field(ge=32)]
    trust_remote_code: bool


class OcrLabels(Section):
    min_confidence: Share
    min_characters: Count
    max_words: Count
    max_side: Annotated[int, Field(ge=32)]


class Label(Section):
    sources: list[str]
    human: HumanLabels
    imagenet: ImagenetLabels
    caption: CaptionLabels
    openai: OpenaiLabels
    ocr: OcrLabels


class Cosine(Section):
    model: str | None
    threshold: Annotated[float, Field(ge=-1.0, le=1.0)]


class Queries(Section):
    cosine: Cosine
    relevance: Literal["strict", "near_duplicates"]
    max_relevant_share: Share
    generic_words: list[str]


class Model(Section):
    name: str
    pretrained: str | None
    context_length: Count | None
    licence: str | None = None

    @property
    def run(self) -> str | None:
        """The name of the fine-tuning run that makes this model; None if none does."""
        return self.name.removeprefix(TUNED) if self.name.startswith(TUNED) else None


class Embed(Section):
    models: list[str]
    precision: Literal["fp32", "bf16", "fp16"]


class Zoo(Section):
    models: Annotated[list[str], Field(min_length=1)]


class FinetuneRun(Section):
    base: str
    sources: Annotated[list[str], Field(min_length=1)]
    train: Literal["head", "last_blocks", "lora", "all"]
    blocks: Count
    rank: Count
    alpha: Positive
    loss: Literal["contrastive", "sigmoid"]
    temperature: Positive | None
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    epochs: Count
    patience: Count
    batch: Annotated[int, Field(ge=2)]
    optimiser: Literal["sgd", "adam"]
    learning_rate: Positive
    warm_up: Share
    weight_decay: Amount
    validation: Part
    test: Part
    seed: int

    @model_validator(mode="after")
    def _some_to_train_on(self) -> FinetuneRun:
        if self.validation + self.test >= 1.0:
            raise ValueError("expected validation and test to leave a share to train on")
        return self


class Finetune(Section):
    models: list[str]
    runs: dict[str, FinetuneRun]


class Retrieve(Section):
    depth: Count
    index: Literal["exact", "hnsw", "ivf", "ivfpq"]


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


class OpenaiRuntime(Section):
    concurrency: Annotated[int, Field(ge=1, le=256)]
    requests_per_minute: Count | None
    tokens_per_minute: Count | None
    timeout: Annotated[float, Field(gt=0.0)]
    max_retries: Annotated[int, Field(ge=0)]
    poll_seconds: Annotated[float, Field(gt=0.0)]


class RayRuntime(Section):
    actors: Count | None
    images_per_task: Count | None


class Runtime(Section):
    engine: Literal["local", "ray"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    batch_size: Count | None
    workers: Count | None
    ray: RayRuntime
    openai: OpenaiRuntime


class Params(Section):
    """The whole of params.yaml."""

    sample: Sample
    data: Data
    catalog: Catalog
    label: Label
    queries: Queries
    models: dict[str, Model]
    finetune: Finetune
    embed: Embed
    zoo: Zoo
    retrieve: Retrieve
    evaluate: Evaluate
    examples: Examples
    judge: Judge
    runtime: Runtime

    @model_validator(mode="after")
    def _names(self) -> Params:
        lists = {"label.sources": self.label.sources, "embed.models": self.embed.models}
        for key, names in (lists | {"zoo.models": self.zoo.models}).items():
            if not names or len(set(names)) != len(names):
                raise ValueError(f"{key}: expected at least one name, without repeats, found {names}")
        for section, name in (
            *product(["models"], self.models),
            *product(["finetune.runs"], self.finetune.runs),
        ):
            if not NAME_PATTERN.fullmatch(name):
                raise ValueError(
                    f"{section}.{name}: expected a name of letters, digits, '_' and '-' (DVC cannot address dots)"
                )
        alike = self.queries.cosine.model
        if alike is not None and alike not in self.embed.models:
            raise ValueError(f"queries.cosine.model: expected null or one of embed.models, found '{alike}'")
        for key, names in (("embed.models", self.embed.models), ("zoo.models", self.zoo.models)):
            for name in names:
                if name not in self.models:
                    raise ValueError(f"{key}: expected names described under models:, found '{name}'")
        return self

    @model_validator(mode="after")
    def _tuned(self) -> Params:
        """Check what fine-tuning and the models that it makes say of each other."""
        in_use = self.finetune.models
        if len(set(in_use)) != len(in_use) or not set(in_use) <= self.finetune.runs.keys():
            raise ValueError(
                f"finetune.models: expected names of finetune.runs, without repeats, found {in_use}"
            )
        for name in in_use:
            run = self.finetune.runs[name]
            if run.base not in self.models or self.models[run.base].run is not None:
                raise ValueError(
                    f"finetune.runs.{name}.base: expected one of models: that is not itself fine-tuned, "
                    f"found '{run.base}'"
                )
            if not set(run.sources) <= set(self.label.sources):
                raise ValueError(
                    f"finetune.runs.{name}.sources: expected some of label.sources, found {run.sources}"
                )
        for name in self.embed.models:
            made_by = self.models[name].run
            if made_by is not None and made_by not in in_use:
                raise ValueError(
                    f"embed.models: '{name}' is made by fine-tuning, expected '{made_by}' in finetune.models too"
                )
        return self

    def part_label(self) -> str:
        """Return how figures on data that a fine-tuned model has seen are labelled: `` (train)``."""
        labelled = self.tuned_models() and self.evaluate.part != "test"
        return f" ({self.evaluate.part})" if labelled else ""

    def tuned_models(self) -> dict[str, str]:
        """Return ``{model in use: the fine-tuning run that makes it}``."""
        runs = ((name, self.models[name].run) for name in self.embed.models)
        return {name: run for name, run in runs if run is not None}

    def tuned_runs(self) -> list[str]:
        """Return the fine-tuning runs that make a model in use, sorted."""
        return sorted(set(self.tuned_models().values()))


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check params.yaml.

    Raises:
        InputError: the file is missing, is not YAML, or has an unknown key, a missing key or a
            wrong type; the sentence names every key in question.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"expected the parameters in {path}, found no such file (run from the repository root)"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"expected YAML in {path}, found: {one_line(error)}") from None
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(_describe(item) for item in error.errors())
        raise InputError(f"{path}: {problems}") from None


def _describe(item: ErrorDetails) -> str:
    """Say in a few words what one pydantic error is about: key, what was expected, what was found."""
    key = ".".join(str(part) for part in item["loc"]) or "the file"
    kind, found = item["type"], one_line(repr(item.get("input")), 80)
    if kind == "extra_forbidden":
        return f"{key}: unknown key"
    if kind == "missing":
        return f"{key}: missing key"
    message = str(item["msg"]).removeprefix("Value error, ")
    if kind == "value_error":
        return message if key == "the file" else f"{key}: {message}, found {found}"
    return f"{key}: {message}, found {found}"
