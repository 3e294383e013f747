"""Pages in a real browser that reaches no network: Debian's Chromium, without a window."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OFFLINE = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1320,1000", "--virtual-time-budget=20000",
)  # fmt: skip
MARKS = r'aria-roledescription="(?:point|bar|line mark)" [^>]*d="M[^"]+"'
"""The marks of a chart that Vega draws as SVG."""


def needs_chromium(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test as ``browser``, and skip it on a machine without Chromium."""
    reason = "no Chromium on this machine to look at the pages: apt-get install chromium"
    return pytest.mark.browser(pytest.mark.skipif(CHROMIUM is None, reason=reason)(test))


class OpenedPage(NamedTuple):
    """A page after its scripts ran, and what the browser's console said."""

    page: str
    console: list[str]


def open_page(page: Path, profile: Path) -> OpenedPage:
    """Open a page in headless Chromium without a network."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *OFFLINE, f"--user-data-dir={profile}", "--enable-logging=stderr", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return OpenedPage(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])
