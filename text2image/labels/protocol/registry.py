"""All label sources by their names: the packages beside this one that hold a ``source.py``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from text2image.base.settings import Section
from text2image.labels.protocol.source import LabelSource

_OWN_PACKAGE = Path(__file__).parent

SOURCES = tuple(
    sorted(
        path.parent.name for path in _OWN_PACKAGE.parent.glob("*/source.py") if path.parent != _OWN_PACKAGE
    )
)
"""The names of all sources, sorted."""


def settings_class(name: str) -> type[Section]:
    """Return the class that describes a source's section of params.yaml."""
    settings: type[Section] = _module(name).Settings
    return settings


def load_source(name: str, settings: Section) -> LabelSource:
    """Return a source of ``SOURCES`` with its settings, importing only its own module."""
    source: LabelSource = _module(name).Source(settings)
    return source


def source_class(name: str) -> type[LabelSource]:
    """Return the class of a source, which says of what kind it is."""
    source: type[LabelSource] = _module(name).Source
    return source


def _module(name: str) -> ModuleType:
    return import_module(f"text2image.labels.{name}.source")
