"""The models that systems have read texts and look at pictures, whoever builds the systems: a stage or a search page."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from text2image.base.arrays import Vectors
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.encoders.sentences.encoding import Role, sentence_vectors
from text2image.encoders.vectors import Card, embed_texts_here, stored_vectors, text_determinants, text_key
from text2image.formats.fields import FieldText
from text2image.labels.openai.settings import Settings
from text2image.retrieval.systems.meaning import MeaningIndex
from text2image.retrieval.systems.rerank import Grade, Pairs
from text2image.retrieval.systems.settings import OPENAI, Meaning, Rerank

if TYPE_CHECKING:
    from text2image.retrieval.systems.vision_grades import VisionGrader


class Readers(NamedTuple):
    """What systems of the kinds ``meaning`` and ``rerank`` ask; all answers are kept in the store.

    Attributes:
        cards: by name, of ``embed.models`` and of models of sentence-transformers, as ``text_models`` in
            data/systems/SYSTEM.json has them.
        precision: ``embed.precision``.
        runtime: where and how fast.
        openai: ``label.openai``.
        judge_prompt: ``judge.prompt``.
    """

    cards: Mapping[str, Card]
    precision: str
    runtime: Runtime
    openai: Settings
    judge_prompt: str

    def encode(self, name: str, system: Meaning, texts: Sequence[str], role: Role) -> Vectors:
        """Return the vectors of texts by a system's text encoder, ``(n_texts, dim)`` float32, unit rows or zero.

        Args:
            name, system: of the kind ``meaning``.
            texts: which may repeat.
            role: what they are.

        Raises:
            InputError: the model cannot be loaded.
        """
        card = self.cards[system.model]
        if is_sentence_model(card):
            return sentence_vectors(card, texts, role, f"systems.{name}.model", self.runtime)
        by_key = {text_key(text): text for text in texts}
        vectors, _ = stored_vectors(
            text_determinants(card, self.precision),
            by_key,
            partial(embed_texts_here, system.model, card, self.precision, self.runtime),
            unit="text",
            title=f"embed texts for {name}",
        )
        row_of = {key: row for row, key in enumerate(by_key)}
        return vectors[[row_of[text_key(text)] for text in texts]]

    def meaning_index(
        self, name: str, system: Meaning, texts: Callable[[str], Sequence[Sequence[FieldText]]]
    ) -> MeaningIndex:
        """Return the vectors of the images' texts by a system's text encoder; ``texts`` returns those of a field.

        Raises:
            InputError: the model cannot be loaded.
        """
        fields = {field: texts(field) for field in system.fields}
        return MeaningIndex(fields, partial(self.encode, name, system, role="document"))

    def vision_grader(
        self,
        name: str,
        system: Rerank,
        title: str,
        queries: Sequence[str],
        images: Callable[[], Sequence[ImageFile]],
    ) -> "VisionGrader":
        """Return what has the paid vision model grade pairs, and says what that will cost; see :meth:`second_look`."""
        from text2image.retrieval.systems.vision_grades import VisionGrader, grader_settings

        settings = grader_settings(self.openai, name, system, self.judge_prompt)
        return VisionGrader(name, title, settings, self.runtime.openai, queries, images())

    def second_look(
        self,
        name: str,
        system: Rerank,
        title: str,
        queries: Sequence[str],
        images: Callable[[], Sequence[ImageFile]],
        texts: Callable[[str], Sequence[Sequence[FieldText]]],
    ) -> Callable[[Pairs], Sequence[Grade]]:
        """Return what grades pairs of queries and images for a system of the kind ``rerank``.

        Args:
            name, system: the system.
            title: names the system and the queries, for messages.
            queries: their texts.
            images: returns the images that are searched.
            texts: returns the texts of each image in a field.

        Raises:
            InputError: the system has a budget, and ``label.openai`` no prices.
        """
        if system.by == OPENAI:
            return self.vision_grader(name, system, title, queries, images).grade
        from text2image.retrieval.systems.cross_grades import CrossGrader

        fields = {field: texts(field) for field in system.fields}
        return CrossGrader(name, self.cards[system.by], self.runtime, queries, fields).grade


def is_sentence_model(card: Card) -> bool:
    """Say whether a card is of a model of sentence-transformers, not of open_clip."""
    return "revision" in card
