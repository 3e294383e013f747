"""Label source ``caption``: what a Hugging Face image-to-text model says of an image.

Two kinds of models are told apart by their configuration: an image encoder with a text decoder
(``vision-encoder-decoder``, as nlpconnect/vit-gpt2-image-captioning), which is given the image alone,
and all others of ``AutoModelForImageTextToText`` (SmolVLM, Qwen-VL, LLaVA, BLIP …), which get
``label.caption.prompt`` in their chat template, or as it is if they have none. Decoding is a beam search
without sampling. A model computes in the precision that it was saved in.

The confidence is the geometric mean of the probabilities that the model gave the tokens it chose.
Weights are safetensors or read with ``weights_only``, so nothing is unpickled. The name of a repository on the hub
says nothing of what is in it, and a branch moves: answers are stored under a commit, and the model is loaded from it.
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from text2image.base.console import InputError, one_line
from text2image.base.imports import fast_imports
from text2image.base.settings import Count, Runtime, Section
from text2image.formats.files import sha256_once
from text2image.formats.origins import Origins, weight_origins
from text2image.labels.protocol.source import Answer, Ask, ComputedSource, Label, NoLabel


class Settings(Section):
    """The section ``label.caption`` of params.yaml."""

    model: str
    revision: str | None
    prompt: str | None
    num_beams: Count
    max_new_tokens: Count
    max_side: Annotated[int, Field(ge=32)]
    trust_remote_code: bool


class Source(ComputedSource):
    """A captioner, from a folder or the hub."""

    settings: Settings
    task_size = (4, 32)

    def fetch(self) -> None:
        """Find out which commit of the hub's model is the newest."""
        if not Path(self.settings.model).is_dir():
            find_commit(self.settings, local_only=False)

    def determinants(self) -> dict[str, Any]:
        """Return the settings, with the hashes of a folder's files or the commit of a model on the hub."""
        settings = self.settings.model_dump(exclude={"trust_remote_code"})
        if not Path(self.settings.model).is_dir():
            return settings | {"revision": find_commit(self.settings, local_only=True)}
        return settings | {"model": self._hashes, "revision": None}

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """Hash the files of a folder once."""
        folder = Path(self.settings.model)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): sha256_once(path) for path in files}

    def present_determinants(self) -> dict[str, Any]:
        """Return the determinants of the files that are there now."""
        return Source(self.settings).determinants()

    def origins(self) -> Origins:
        """Return the weights of a folder, or the commit of a model on the hub."""
        model = self.settings.model
        if Path(model).is_dir():
            return weight_origins(self._hashes, model)
        return {f"hub:{model}@{find_commit(self.settings, local_only=True)}": model}

    def load(self, runtime: Runtime) -> Ask:
        """Load the model."""
        with fast_imports():
            from text2image.encoders.device import pick_devices
            from text2image.labels.caption.batches import caption_images
            from text2image.labels.caption.captioner import load

            model = load(self.settings)
        return caption_images(model, pick_devices(runtime), self.settings.max_side, runtime)

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        """Return the caption with its confidence, or why there is none."""
        if "failure" in answer:
            return [NoLabel(image_id, answer["failure"])]
        return [Label(image_id, answer["caption"], answer["confidence"])]


def find_commit(settings: Settings, *, local_only: bool) -> str:
    """Return the commit that ``label.caption.revision`` means.

    Args:
        settings: of a model on the hub.
        local_only: look into the cache on this machine alone; else ask the hub for the newest commit of a branch.

    Raises:
        InputError: there is no such model, or the hub is out of reach and the cache does not have it.
    """
    from huggingface_hub import hf_hub_download

    config = "config.json"  # which every model has
    try:
        path = hf_hub_download(
            settings.model, config, revision=settings.revision, local_files_only=local_only
        )
    except Exception as error:  # of the hub's client, of its transport, of names that cannot be one
        raise unavailable(settings, error) from None
    return Path(path).parent.name


def unavailable(settings: Settings, error: Exception) -> InputError:
    """Return the sentence that says why a model cannot be had."""
    return InputError(
        f"expected a Hugging Face image-to-text model for label.caption.model in params.yaml, found that "
        f"'{settings.model}' cannot be loaded or downloaded ({one_line(error) or type(error).__name__}); set HF_HOME to a "
        "folder that has it, or label.caption.model to the folder of a copy; a model that brings its own code "
        "needs label.caption.trust_remote_code: true"
    )
