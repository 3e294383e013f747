"""Where images lie: in a folder, or behind a URL that fsspec opens (``s3://``, ``gs://``, ``memory://`` …).

``file://`` URLs are folders. DVC watches folders by itself, and URLs of the clouds that it knows; for all
other URLs it watches a pin, a small file that names the URL and the state of its files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import yaml

from text2image.base.console import InputError, one_line
from text2image.base.settings import load_yaml
from text2image.formats.files import write_text

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

KEY = "params key data.images"
PIN = ".url"
"""How the name of a pin ends."""

PIN_HEAD = "# Where the images lie, and the state they were in. Written by `t2i catalog --pin`.\n"


@dataclass(frozen=True)
class Remote:
    """A file or folder behind a URL; ``path`` is relative to it."""

    url: str
    path: str = ""

    def __truediv__(self, path: str) -> Remote:
        return Remote(self.url, f"{self.path}/{path}" if self.path else path)

    def __str__(self) -> str:
        return f"{self.url.rstrip('/')}/{self.path}" if self.path else self.url

    def as_posix(self) -> str:
        """Return the URL, as :meth:`pathlib.Path.as_posix` returns the path."""
        return str(self)

    def read_bytes(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            FileNotFoundError, PermissionError: the place says so.
            InputError: anything else, such as a network that fails: it is no word on the file.
        """
        system, root = open_url(self.url)
        try:
            content: bytes = system.cat_file(f"{root}/{self.path}")
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            raise InputError(f"expected to read {one_line(self)}, found: {reason(error)}") from None
        return content


Location = Path | Remote


class Pin(NamedTuple):
    """A URL and the state that its files were in: how many, and a hash of their names and stamps."""

    url: str
    files: int
    state: str


def location(text: str) -> Location:
    """Return what ``data.images`` names: a folder, a URL, or a pin of a URL.

    Raises:
        InputError: a pin that cannot be read, or a URL that holds a password.
    """
    if text.endswith(PIN):
        return location(read_pin(Path(text)).url)
    if "://" not in text:
        return Path(text)
    if urlsplit(text).password:
        raise InputError(f"expected a URL without a password ({KEY}); fsspec takes it from its configuration")
    if text.startswith("file://") and "::" not in text:
        return Path(text.removeprefix("file://"))
    return Remote(text)


def open_url(url: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a URL, and the path in it.

    Raises:
        InputError: its protocol is not known or needs a package, or the place cannot be opened.
    """
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise InputError(
            f"expected the package for {one_line(url)} ({KEY}), found none: {reason(error)}"
        ) from None
    except Exception as error:
        raise InputError(
            f"expected a URL that fsspec opens ({KEY}), found {one_line(url)}: {reason(error)}"
        ) from None
    return system, str(root).rstrip("/")


def reason(error: Exception) -> str:
    """Return what an exception says, or at least its name."""
    return one_line(error) or type(error).__name__


def write_pin(path: Path, pin: Pin) -> None:
    """Write a pin as YAML."""
    write_text(path, PIN_HEAD + yaml.safe_dump(pin._asdict(), sort_keys=False, allow_unicode=True))


def read_pin(path: Path) -> Pin:
    """Read a pin.

    Raises:
        InputError: no such file, or it is not a pin.
    """
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
        return Pin(str(raw["url"]), int(raw["files"]), str(raw["state"]))
    except (OSError, TypeError, LookupError, ValueError) as error:
        raise InputError(
            f"expected a file that `t2i catalog --pin` wrote at {path} ({KEY}), found: {one_line(error)}"
        ) from None
