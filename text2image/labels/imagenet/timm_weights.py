"""The files that a model of timm's is loaded from, so that answers are stored under their hashes.

A name says nothing of the weights: on the hub they may change under it. So the files are found once, hashed,
and the network is loaded from these files and no others.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg, parse_model_name

from text2image.base.console import InputError, one_line
from text2image.formats.files import sha256_once

KEY = "label.imagenet.model"


class Weights(NamedTuple):
    """A model on this machine.

    Attributes:
        name: the model for ``timm.create_model``, pinned to a commit where a name alone is not enough.
        overlay: its ``pretrained_cfg_overlay``.
        files: what is loaded.
        preprocessing: size, crop and normalisation of images, where no file says them but timm itself.
    """

    name: str
    overlay: dict[str, Any]
    files: Sequence[Path]
    preprocessing: dict[str, Any]

    def determinants(self) -> dict[str, Any]:
        """Return what the classes that the model sees depend on, files as ``{name: SHA-256}``."""
        files = {path.name: sha256_once(path) for path in self.files}
        return {"files": files, "preprocessing": self.preprocessing}


def find_weights(model: str, *, local_only: bool) -> Weights:
    """Return the files of a model, as ``label.imagenet.model`` names it: of the hub, a folder or timm's own list.

    With ``local_only``, look on this machine alone; else ask the hub whether its files have changed.

    Raises:
        InputError: timm has no such model, or its weights cannot be had.
    """
    try:
        source, model_id = parse_model_name(model)
        if source == "local-dir":
            return Weights(model, {}, sorted(filter(Path.is_file, Path(model_id).iterdir())), {})
        if source == "hf-hub":
            repository, _, revision = model_id.partition("@")
            get = partial(hf_hub_download, revision=revision or None, local_files_only=local_only)
            config = Path(get(repository, "config.json"))
            commit = config.parent.name
            files = [config, _hub_weights(repository, commit, local_only=local_only)]
            return Weights(f"hf-hub:{repository}@{commit}", {}, files, {})
        return _registry_model(model, local_only=local_only)
    except Exception as error:  # of timm, of the hub's client and of its transport
        raise unavailable(model, error) from None


def unavailable(model: str, error: Exception) -> InputError:
    """Return the sentence that says why a model cannot be had."""
    return InputError(
        f"expected a timm ImageNet-1k classifier with weights at hand or to download for {KEY} in params.yaml, "
        f"found that '{model}' cannot be had ({one_line(error) or type(error).__name__}); set HF_HOME to a folder "
        f"that has it, or {KEY} to builtin, which needs no download"
    )


def _registry_model(model: str, *, local_only: bool) -> Weights:
    """Return a model that timm knows by its name and tag."""
    config = get_pretrained_cfg(model)
    if config is None or not config.has_weights:
        raise LookupError("timm knows no weights of that name")
    if config.hf_hub_id:
        path = _hub_weights(config.hf_hub_id, None, local_only=local_only)
    else:
        path = _web_weights(config.url, local_only=local_only)
    overlay = {"file": str(path), "custom_load": not config.hf_hub_id and config.custom_load}
    return Weights(model, overlay, [path], resolve_data_config(pretrained_cfg=config.to_dict()))


def _hub_weights(repository: str, revision: str | None, *, local_only: bool) -> Path:
    """Return the weights in a repository; of two formats the one that timm chooses."""
    get = partial(hf_hub_download, repository, revision=revision, local_files_only=local_only)
    try:
        return Path(get("model.safetensors"))
    except EntryNotFoundError:
        return Path(get("pytorch_model.bin"))


def _web_weights(url: str, *, local_only: bool) -> Path:
    """Return a file that is on no hub, and that torch keeps in its own cache."""
    path = Path(torch.hub.get_dir(), "checkpoints", Path(urlsplit(url).path).name)
    if not path.is_file():
        if local_only:
            raise FileNotFoundError(f"{path.name} has not been downloaded")
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), progress=False)
    return path
