"""Label source ``imagenet``: the class that an ImageNet-1k classifier is confident of.

The answer that is kept holds the five most probable classes, so that a change of
``label.imagenet.threshold`` costs nothing.
"""

from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import version
from typing import Any

from text2image.base.imports import import_open_clip, without_collection
from text2image.base.settings import Runtime, Section, Share
from text2image.encoders.builtin.package import EFFICIENTNET
from text2image.formats.origins import Origins, weight_origins
from text2image.labels.protocol.source import Answer, Ask, ComputedSource, Label, NoLabel

BUILTIN = "builtin"
KEPT_CLASSES = 5


class Settings(Section):
    """The section ``label.imagenet`` of params.yaml."""

    model: str
    threshold: Share


class Source(ComputedSource):
    """A classifier: the built-in one or one of timm's."""

    settings: Settings
    preprocessing = 2

    def fetch(self) -> None:
        """Download the weights of a model of timm's, or the newest of them."""
        if self.settings.model != BUILTIN:
            from text2image.labels.imagenet.timm_weights import find_weights

            find_weights(self.settings.model, local_only=False)

    def determinants(self) -> dict[str, Any]:
        """Return the weights, by package version or by hash, and how many classes an answer holds."""
        if self.settings.model == BUILTIN:
            return {"weights": f"{EFFICIENTNET.name} {version(EFFICIENTNET.name)}", "classes": KEPT_CLASSES}
        return {"weights": self.settings.model, "classes": KEPT_CLASSES} | self._weights

    @cached_property
    def _weights(self) -> dict[str, Any]:
        """Hash the files of a model of timm's once, after :meth:`fetch`."""
        from text2image.labels.imagenet.timm_weights import find_weights

        return find_weights(self.settings.model, local_only=True).determinants()

    def present_determinants(self) -> dict[str, Any]:
        """Return the determinants of the files that are there now."""
        return Source(self.settings).determinants()

    def origins(self) -> Origins:
        """Return the classifier's weights."""
        if self.settings.model == BUILTIN:
            return EFFICIENTNET.origins()
        return weight_origins(self._weights["files"], self.settings.model)

    def load(self, runtime: Runtime) -> Ask:
        """Load the classifier."""
        with without_collection():
            import_open_clip(left_out={"transformers"})
            from text2image.labels.imagenet import classifier

            if self.settings.model == BUILTIN:
                network, transform = classifier.load_builtin()
            else:
                network, transform = classifier.load_timm(self.settings.model)
        return classifier.ask(network, transform, KEPT_CLASSES, runtime)

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        """Return the most probable class if it is probable enough."""
        best = answer["classes"][0]
        if best["probability"] < self.settings.threshold:
            return [NoLabel(image_id, "confidence below label.imagenet.threshold")]
        return [Label(image_id, best["name"], best["probability"])]
