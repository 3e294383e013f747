"""What sections of params.yaml are made of, and the section ``runtime``, which every subject may read."""

from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from text2image.base.console import InputError, one_line

MOST_SAID = 4000  # characters of all that is wrong with a file
SHOWN = Repr()
"""Writes what was found of a value: a few lines of YAML that refer to each other can hold more than any memory."""

SHOWN.maxlevel = 3
SHOWN.maxstring = SHOWN.maxother = SHOWN.maxlong = 200
SHOWN.maxlist = SHOWN.maxdict = SHOWN.maxtuple = 20

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Part = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Section(BaseModel):
    """A section of params.yaml: unknown keys are errors and types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


SectionType = TypeVar("SectionType", bound=Section)


class OpenaiRuntime(Section):
    concurrency: Annotated[int, Field(ge=1, le=256)]
    requests_per_minute: Count | None
    tokens_per_minute: Count | None
    timeout: Annotated[float, Field(gt=0.0)]
    max_retries: Annotated[int, Field(ge=0)]
    poll_seconds: Annotated[float, Field(gt=0.0)]
    response_format: Literal["auto", "json_schema", "json_object", "none"] = "auto"
    token_limit: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"  # noqa: S105


class RayRuntime(Section):
    actors: Count | None
    images_per_task: Count | None


class Runtime(Section):
    engine: Literal["local", "ray"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    devices: Count | None = None
    batch_size: Count | None
    workers: Count | None
    ray: RayRuntime
    openai: OpenaiRuntime


def load_settings(path: Path, section: type[SectionType]) -> SectionType:
    """Read and check a YAML file of parameters.

    Raises:
        InputError: the file is missing, is not YAML, or has an unknown key, a missing key or a
            wrong type; the sentence names every key in question.
    """
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"expected the parameters in {path}, found no such file (run from the repository root)"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"expected YAML in {path}, found: {one_line(error)}") from None
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(_describe(item) for item in error.errors())
        raise InputError(f"{path}: {one_line(problems, MOST_SAID)}") from None


def load_yaml(text: str) -> Any:
    """Return what a YAML text holds.

    Raises:
        ValueError: it is no YAML, or holds what is none of Python's values; the message is one line.
    """
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(one_line(error)) from None
    except (
        Exception
    ) as error:  # PyYAML lets through what Python raises of a broken number, date or truth value
        raise ValueError(f"a value that cannot be read ({one_line(repr(error))})") from None


def _describe(item: ErrorDetails) -> str:
    """Say in a few words what one pydantic error is about: key, what was expected, what was found."""
    key = ".".join(map(str, item["loc"])) or "the file"
    if problem := {"extra_forbidden": "unknown key", "missing": "missing key"}.get(item["type"]):
        return f"{key}: {problem}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error" and not item["loc"]:
        return message
    return f"{key}: {message}, found {_shown(item.get('input'))}"


def _shown(value: object) -> str:
    try:
        return one_line(SHOWN.repr(value), 80)
    except ValueError:  # as Python writes no such numbers
        return "a number of thousands of digits"
