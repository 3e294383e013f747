"""Pins: small files by which DVC watches images behind any URL. A pin names the URL and the state of its files."""

from pathlib import Path
from typing import NamedTuple

import yaml

from text2image.base.console import InputError, one_line
from text2image.formats.files import write_text

PIN = ".url"
"""How the name of a pin ends."""

HEAD = "# Where the images lie, and the state they were in. Written by `t2i catalog --pin`.\n"


class Pin(NamedTuple):
    """A URL and the state that its files were in: how many, and a hash of their names and stamps."""

    url: str
    files: int
    state: str


def write_pin(path: Path, pin: Pin) -> None:
    """Write a pin as YAML."""
    write_text(path, HEAD + yaml.safe_dump(pin._asdict(), sort_keys=False, allow_unicode=True))


def read_pin(path: Path) -> Pin:
    """Read a pin.

    Raises:
        InputError: no such file, or it is not a pin.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Pin(str(raw["url"]), int(raw["files"]), str(raw["state"]))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise InputError(
            f"expected a file that `t2i catalog --pin` wrote at {path} (params key data.images), "
            f"found: {one_line(error)}"
        ) from None
