"""Label source ``openai``: what a vision model on a server says, paid for by the token.

Any server that speaks the chat-completions protocol will do (``label.openai.base_url``): OpenAI, vLLM,
Ollama, LM Studio. Each answer holds a caption and search queries; which of them become labels is
``label.openai.queries`` and costs nothing to change. Refused, empty and malformed answers are paid for
too: they are kept, listed, and asked again only with ``label.openai.retry_failures``.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from text2image.base.console import say
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile
from text2image.formats.origins import Origins
from text2image.labels.openai.batches.pending import PendingBatches
from text2image.labels.openai.budget import estimate, figures, unanswered, usages, with_earlier
from text2image.labels.openai.ledger import Ledger, reread
from text2image.labels.openai.reading import EMPTY, is_placeholder
from text2image.labels.openai.schema import Question, determinants, texts_question
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.answers import all_determinants, load_answer, store_kind, whole_answer
from text2image.labels.protocol.source import Answer, ImageAnswer, Label, NoLabel, PaidSource

PLACEHOLDER_TEXT = "text copied from the form"


class Source(PaidSource):
    """A vision model; the network is reached, and the key looked for, only to ask."""

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.max_images = settings.max_images

    def determinants(self) -> dict[str, Any]:
        """Return all that an answer depends on besides the image."""
        return determinants(self.settings)

    def origins(self) -> Origins:
        """Return the service's model."""
        return self.settings.origins()

    def ask(
        self, images: Sequence[ImageFile], stored: Mapping[str, Answer], runtime: Runtime
    ) -> Generator[ImageAnswer, None, None]:
        """Ask about the images that have no answer yet; collect batches of earlier runs."""
        determinants, question = all_determinants(self), texts_question(self.settings)
        with Store(store_kind("openai"), determinants, paid=True) as store:
            ledger, again = Ledger(store), set[str]()
            for key, answer in reread(store, ledger, stored, self._by_key(images).keys(), question):
                yield key, answer
                again.add(key)
            known = dict(stored) | dict(store.get_json(again, load_answer))
            with closing(self._answers(images, known, runtime, question, ledger)) as answers:
                for key, answer in answers:
                    earlier = whole_answer(store, key, known[key]) if key in known else None
                    yield key, with_earlier(answer, earlier)

    def _answers(
        self,
        images: Sequence[ImageFile],
        stored: Mapping[str, Answer],
        runtime: Runtime,
        question: Question,
        ledger: Ledger,
    ) -> Generator[ImageAnswer, None, None]:
        """Yield what the server answers, alone or in batches."""
        pending = PendingBatches(all_determinants(self))
        todo, waiting = unanswered(self.settings, self._by_key(images), stored), pending.keys()
        in_batches = self.settings.mode == "batch"
        if waiting and not in_batches:
            say(
                f"label openai: {len(waiting)} images wait in a batch and are not asked again; "
                "set label.openai.mode to batch to collect it"
            )
            todo = {key: image for key, image in todo.items() if key not in waiting}
        if in_batches and (todo or waiting):
            from text2image.labels.openai.batches.run import BatchRun

            yield from BatchRun(self.settings, runtime.openai, stored, pending, ledger).ask(todo)
        elif todo:
            from text2image.labels.openai.ask import Asker

            yield from Asker(self.settings, runtime.openai, stored, question, ledger).ask(todo)

    def _by_key(self, images: Sequence[ImageFile]) -> dict[str, ImageFile]:
        return {self.key(image): image for image in images}

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        """Return the texts that ``label.openai.queries`` chooses, or what was wrong with the answer."""
        if "failure" in answer:
            return [NoLabel(image_id, answer["failure"])]
        parts = {"caption": [answer["caption"]], "queries": answer["queries"]}
        texts = dict.fromkeys(text for part in self.settings.queries for text in parts[part] if text.strip())
        labels = [Label(image_id, text, None) for text in texts if not is_placeholder(text)]
        copies = [NoLabel(image_id, PLACEHOLDER_TEXT)] * (len(texts) - len(labels))
        return [*labels, *copies] or [NoLabel(image_id, EMPTY)]

    def figures(self, answers: Iterable[Answer]) -> dict[str, Any]:
        """Return requests, tokens and cost, and a remark where the server did not say what it took."""
        answers = list(answers)
        estimated = sum("estimated" in usage for answer in answers for usage in usages(answer))
        remark = f"tokens of {estimated:,} requests are estimated: the server reported less than was sent, or nothing"
        return figures(self.settings, answers) | ({"remarks": [remark]} if estimated else {})

    def estimate(self, images: Sequence[ImageFile], stored: Mapping[str, Answer]) -> str:
        """Say how many images are not labelled yet and about what they will cost."""
        by_key = self._by_key(images)
        todo = len(unanswered(self.settings, by_key, stored))
        with Store(store_kind("openai"), all_determinants(self), paid=True) as store:
            lost = Ledger(store).cost(self.settings, by_key.keys())
        return f"label openai: {todo} of {len(images)} images not labelled yet\n" + estimate(
            self.settings, todo, stored.values(), lost=lost
        )
