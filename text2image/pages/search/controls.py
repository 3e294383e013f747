"""The page's controls, which are Gradio's, and what they do."""

import os
from pathlib import Path
from typing import Any

from text2image.base.console import InputError
from text2image.pages.search.pictures import Uploads
from text2image.pages.search.service import VIEW, SearchService

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
import gradio as gr

RESULTS = 12
MOST = 120  # results of a system that "Show more" leads to
EXAMPLES = 8
NONE = "none"


def asset(name: str) -> str:
    """Return a file that stands beside this module."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


class Actions:
    """What the controls do; each returns what Gradio puts into the controls named beside it."""

    def __init__(self, service: SearchService, uploads: Uploads) -> None:
        self.service, self.uploads = service, uploads
        self.examples = VIEW.examples(service.annotations.examples(EXAMPLES))

    def answer(self, text: str, picture: str, system: str, beside: str, wanted: int) -> str:
        """Return the results as HTML; under the examples, which stay where they are."""
        systems = list(dict.fromkeys(name for name in (system, beside) if name != NONE))
        try:
            query = self.uploads.get(picture) if picture else text
            if query is None:
                raise InputError("expected a picture, found that it was sent too long ago: choose it again")
            response = self.service.search(query, systems, min(wanted, MOST))
        except InputError as error:
            return f"{self.examples}{VIEW.problem(str(error))}"
        shown = max(len(system.results) for system in response.systems)
        more = shown < min(MOST, len(self.service.files))
        return f"{self.examples}{VIEW.answer(response, self.service.by, more)}"

    def search(self, text: str, system: str, beside: str) -> tuple[str, str, int]:
        """Search for what was typed: results, no picture, how many."""
        return self.answer(text, "", system, beside, RESULTS), "", RESULTS

    def ask(self, system: str, beside: str, event: gr.EventData) -> tuple[str, str, str, int]:
        """Search for an example: its text, then as for :meth:`search`."""
        text = said(event, "query")
        return text, *self.search(text, system, beside)

    def like(self, system: str, beside: str, event: gr.EventData) -> tuple[str, str, str, int]:
        """Search with a picture that was sent: no text, results, the picture's name, how many."""
        picture = said(event, "picture")
        return "", self.answer("", picture, system, beside, RESULTS), picture, RESULTS

    def more(self, text: str, picture: str, system: str, beside: str, wanted: int) -> tuple[str, int]:
        """Search again for more images: results, how many."""
        return self.answer(text, picture, system, beside, wanted + RESULTS), wanted + RESULTS

    def judge(self, query: object, image: object, grade: object) -> dict[str, str]:
        """Keep a grade and say where, or why not."""
        try:
            if not (isinstance(query, str) and isinstance(image, str) and type(grade) is int):
                raise InputError("expected a text, an image of the gallery and a grade of 0 to 3")
            return {"kept": ", ".join(self.service.judge(query, image, grade))}
        except InputError as error:
            return {"error": str(error)}


def said(event: gr.EventData, name: str) -> str:
    """Return a text that a click on the page told; "" for anything else."""
    value = getattr(event, name, "")
    return value if isinstance(value, str) else ""


def controls(actions: Actions) -> Any:
    """Return the page's controls."""
    service = actions.service
    systems, sources = service.systems, service.params.label.sources
    shown, beside = service.at_first()
    plain: dict[str, Any] = {"apply_default_css": False}

    def judge(call: dict[str, Any]) -> dict[str, str]:  # Gradio marks it, which it cannot do with a method
        return actions.judge(call.get("query"), call.get("image"), call.get("grade"))

    with gr.Blocks(title="Search", analytics_enabled=False, fill_width=True) as page:
        header = VIEW.header(len(service.files), systems, sources, service.findings, service.outdated)
        gr.HTML(str(header), js_on_load=None, **plain)
        with gr.Row(elem_classes="bar"):
            text = gr.Textbox(
                next(iter(service.annotations.examples(1)), ""), label="query", show_label=False, container=False, max_lines=1, scale=5,
                placeholder="What should the picture show?", elem_classes="query", min_width=240,
            )  # fmt: skip
            button = gr.Button("Search", variant="primary", scale=0, min_width=110)
            by_picture = gr.HTML(asset("picture.html"), js_on_load=asset("picture.js"), min_width=48, **plain)
            first = gr.Dropdown(systems, value=shown, label="system", scale=1, min_width=130)
            second = gr.Dropdown(
                [NONE, *systems], value=beside or NONE, label="beside it",
                interactive=len(systems) > 1, scale=1, min_width=130,
            )  # fmt: skip
        result = gr.HTML(
            js_on_load=asset("page.js"), server_functions=[judge], elem_classes="results", **plain
        )
        listen(actions, page, (text, button, by_picture, first, second), result)
    return page.queue(default_concurrency_limit=8)


def listen(actions: Actions, page: Any, bar: tuple[Any, ...], result: Any) -> None:
    """Have the controls of the ``bar`` (query, button, picture, two systems), the results and the page act."""
    text, button, by_picture, first, second = bar
    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    picture, wanted = gr.State(""), gr.State(RESULTS)
    outputs, inputs = [result, picture, wanted], [text, picture, first, second, wanted]
    page.load(actions.search, [text, first, second], outputs, **hidden)
    # Not `input`, which Gradio sends twice for one choice.
    chosen = [choice.select(actions.answer, inputs, result, **hidden) for choice in (first, second)]
    hidden["cancels"] = chosen  # what was asked before must not take the place of the new answer
    for event in (text.submit, button.click):
        event(actions.search, [text, first, second], outputs, **hidden)
    result.ask(actions.ask, [first, second], [text, *outputs], **hidden)
    by_picture.picture(actions.like, [first, second], [text, *outputs], **hidden)
    result.more(actions.more, inputs, [result, wanted], **hidden)
