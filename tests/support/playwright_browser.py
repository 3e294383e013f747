"""A headless Chromium that reaches nothing but this machine, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

from tests.support.browser import CHROMIUM

OFFLINE = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
TIMEOUT = 60_000  # milliseconds: a first answer waits for the model


@contextmanager
def browser_page() -> Iterator[tuple[Page, list[str]]]:
    """Give an empty page, and a list that gathers what its console says and what it asks of others."""
    heard: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(TIMEOUT)
        expect.set_options(TIMEOUT)
        page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"{error}"))
        page.on(
            "request",
            lambda request: heard.extend([f"asked for {request.url}"] if _elsewhere(request.url) else []),
        )
        yield page, heard
        browser.close()


def _elsewhere(address: str) -> bool:
    return not address.startswith(("http://127.0.0.1:", "data:", "about:"))
