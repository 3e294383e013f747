"""What a label source offers. There are three kinds, by what its texts cost.

- :class:`FreeSource`: the texts are there already; it hands them out, and nothing is stored.
- :class:`ComputedSource`: a model on this machine, or on those of a cluster, answers for each image.
- :class:`PaidSource`: a service answers for each image, and takes money for it.

What is costly is an *answer*: all that the source said of one image, as JSON. Answers are kept in the
content-addressed store the moment they come, under the image and everything else that determines them, so that
a kill, a changed threshold or a changed folder never asks twice. Making labels of answers is cheap and done anew
each time.

To add a source, write ``text2image/labels/NAME/source.py`` with a class ``Settings``, which describes its section
``label.NAME`` of params.yaml, and a class ``Source`` of one of the three kinds. The folder is all that registers it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from text2image.base.console import InputError
from text2image.base.settings import Runtime, Section
from text2image.collection.manifest import ImageFile, ManifestEntry
from text2image.encoders.settings import checkpoint_directory
from text2image.formats.fields import FieldText
from text2image.formats.origins import Origins

SOURCES = tuple(
    sorted({path.parent.name for path in Path(__file__).parents[1].glob("*/source.py")} - {"protocol"})
)
"""The names of all sources, sorted."""

Answer: TypeAlias = dict[str, Any]
"""What a source said of one image, as JSON. ``{"failure": reason}`` is an answer too, and kept, unless it also
says ``"transient": True``: then it is listed, and the image is asked about again in the next run."""

ImageAnswer: TypeAlias = tuple[str, Answer]
"""``(key, answer)``: what the answer is stored under, see :meth:`StoredSource.key`."""

Ask: TypeAlias = Callable[[Sequence[ImageFile]], Iterator[ImageAnswer]]
"""Yields an answer for each image, in any order, as answers come."""


class Label(NamedTuple):
    """A text for an image.

    Attributes:
        confidence: in [0, 1], or None where the source gives none.
        kind: the kinds of the text (:mod:`text2image.formats.kinds`), or "" where the source tells none apart.
    """

    image_id: str
    text: str
    confidence: float | None
    kind: str = ""


class NoLabel(NamedTuple):
    """Why an image has no label (or none more) from a source."""

    image_id: str
    reason: str


class Inputs(NamedTuple):
    """What a free source may read besides the images."""

    table: Path  # its file in data/label_inputs
    manifest: Sequence[ManifestEntry]  # every usable file of the collection


class BaseSource:
    """What all sources have in common: they are made of their section of params.yaml."""

    def __init__(self, settings: Section) -> None:
        self.settings = settings

    def origins(self) -> Origins:
        """Return what wrote the texts: weights, or a service's model; nothing where people did.

        A model that goes back to the same is not measured on them (:mod:`text2image.formats.origins`).
        """
        return {}


class FreeSource(BaseSource, ABC):
    """A source whose texts are there already."""

    @abstractmethod
    def label(self, images: Sequence[ImageFile], inputs: Inputs) -> Iterable[Label | NoLabel]:
        """Return the labels of the images, and what the source has that belongs to none of them.

        Raises:
            InputError: it has nothing for these images.
        """

    def figures(self) -> dict[str, Any]:
        """Return what the metrics say of the labels that were returned, besides what they say for every source.

        ``remarks`` are sentences for the console and the report.
        """
        return {}


class StoredSource(BaseSource, ABC):
    """What the two kinds have in common whose answers are stored."""

    @abstractmethod
    def determinants(self) -> dict[str, Any]:
        """Return, as JSON, all that determines an answer besides the image: model, weights, prompt, size.

        Only what is on this machine is looked at. A change makes other answers.

        Raises:
            InputError: the model is not on this machine.
        """

    def key(self, image: ImageFile) -> str:
        """Return what the answer for an image is stored under: its id, and how its pixels were made."""
        return image.key

    @abstractmethod
    def origins(self) -> Origins:
        """Return what the answers come from, after :meth:`determinants` has been asked for."""

    @abstractmethod
    def ask(
        self, images: Sequence[ImageFile], stored: Mapping[str, Answer], runtime: Runtime
    ) -> Generator[ImageAnswer, None, None]:
        """Yield answers that are not ``stored`` yet, in any order, as they come; both by :meth:`key`.

        May stop early, and may leave images out: these count as "not asked" and are offered again in the next run.
        """

    @abstractmethod
    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        """Turn the answer for an image into labels, or the reason why there is none."""

    def texts(self, image_id: str, answer: Answer) -> Iterable[FieldText]:
        """Return all that an answer says of an image as text, for systems to search in; its labels, if not more."""
        labels = (one for one in self.read(image_id, answer) if isinstance(one, Label))
        return [FieldText(image_id, label.text, label.confidence) for label in labels]

    def count_words(self, answer: Answer) -> int | None:
        """Return how many words the source read on the image; None for sources that read none."""
        return None


class ComputedSource(StoredSource):
    """A source whose answers a model computes.

    Attributes:
        preprocessing: version of how decoded pixels become the model's input. Raise it with every change of them:
            tests/labels/test_golden_inputs.py holds the inputs of each source.
        task_size: images that a worker of a cluster is given at once, on CPUs and on GPUs; None if the model
            never runs on GPUs.
    """

    preprocessing: int = 1
    task_size: tuple[int, int | None] = (64, 512)

    def fetch(self) -> None:
        """Download the newest of what the determinants depend on; without a network, what is there has to do.

        Raises:
            InputError: it cannot be had.
        """

    def is_current(self, answer: Answer) -> bool:
        """Tell whether the model would still give a stored answer; if not, its image is asked about again.

        For a change that leaves most answers as they are: others need new determinants.
        """
        return True

    @abstractmethod
    def load(self, runtime: Runtime) -> Ask:
        """Load the model and return what asks it.

        Raises:
            InputError: it cannot be loaded.
        """

    def ask(
        self, images: Sequence[ImageFile], stored: Mapping[str, Answer], runtime: Runtime
    ) -> Generator[ImageAnswer, None, None]:
        """Ask about all images without an answer; the model is loaded only if there are any.

        Raises:
            InputError: the model's files changed since the answers' key was made of them.
        """
        missing = [image for image in images if self.key(image) not in stored]
        if not missing:
            return
        answers = self.load(runtime)(missing)
        self.check_unchanged()
        for number, answer in enumerate(answers):
            if number == 0:  # by then models are loaded that are loaded when they are first needed
                self.check_unchanged()
            yield answer

    def check_unchanged(self) -> None:
        """Compare what answers depend on with what is on this machine now.

        Raises:
            InputError: a file of the model changed since :meth:`determinants` were asked for.
        """
        before, now = self.determinants(), self.present_determinants()
        if changed := sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key)):
            raise InputError(
                f"expected the model of the label source '{type(self).__module__.split('.')[-2]}' (section label of "
                f"params.yaml) to stay as it was while it was loaded, found other {', '.join(changed)}; run the command "
                "again, which asks the present model"
            )

    def present_determinants(self) -> dict[str, Any]:
        """Return the determinants by what is on this machine now; a source that keeps its own finds them anew here."""
        return self.determinants()


class PaidSource(StoredSource):
    """A source whose answers cost money. No two processes ask it at once.

    Attributes:
        max_images: label only the first so many images of the gallery; None for all.
    """

    max_images: int | None

    def key(self, image: ImageFile) -> str:
        """Return what the answer for an image is stored under, for which a colour profile does not count."""
        return image.paid_key

    @abstractmethod
    def figures(self, answers: Iterable[Answer]) -> dict[str, Any]:
        """Return what the metrics say of answers besides what they say for every source."""

    @abstractmethod
    def estimate(self, images: Sequence[ImageFile], stored: Mapping[str, Answer]) -> str:
        """Say in a few lines what labelling the images would cost, without asking."""


LabelSource: TypeAlias = FreeSource | StoredSource


def local_model(settings: Section) -> Path | None:
    """Return the folder or file on this machine that ``model`` of a source's section names; None for other models."""
    model = getattr(settings, "model", None)
    if not model:
        return None
    path = checkpoint_directory(model) or Path(model)
    return path if path.exists() else None


def settings_class(name: str) -> type[Section]:
    """Return the class that describes a source's section of params.yaml."""
    settings: type[Section] = import_module(f"text2image.labels.{name}.source").Settings
    return settings


def source_class(name: str) -> type[LabelSource]:
    """Return the class of a source, which says of what kind it is; only its own module is imported."""
    source: type[LabelSource] = import_module(f"text2image.labels.{name}.source").Source
    return source


def load_source(name: str, settings: Section) -> LabelSource:
    """Return a source of ``SOURCES`` with its settings."""
    return source_class(name)(settings)
