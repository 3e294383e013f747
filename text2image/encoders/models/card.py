"""The card of a model: all files that it consists of, by their hashes, and its size; and its licence.

Embeddings depend on the card, so that other weights under the same name make other embeddings, and a model that
cannot be had is known before any work is done. The card also names the weights that the model goes back to, so that it
is not measured on texts that the same weights wrote.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import hf_hub_download

from text2image.base.console import one_line
from text2image.base.settings import load_yaml
from text2image.encoders.models.files import find_files, hash_files, is_licence
from text2image.encoders.models.local_dir import load_local_tokenizer
from text2image.encoders.models.size import measure
from text2image.encoders.settings import HF_HUB, Model, checkpoint_directory
from text2image.formats.origins import ORIGINS, read_origins, weight_origins

UNKNOWN = "unknown"


def describe(name: str, model: Model) -> dict[str, Any]:
    """Return a model's card: its entry in params.yaml, the SHA-256 of every file it consists of, origins, size and input.

    Embeddings are keyed by the former two. The ``origins`` are its weights and, of a checkpoint directory, those that
    its origins.json says it was made of (:mod:`text2image.formats.origins`). Registry and hub models are downloaded
    here, unless they are in the local cache already; nothing else in the pipeline needs the network for weights. Where
    the architecture cannot be built, the size is that of the largest file, which holds the weights, and the ``input``
    (:class:`text2image.encoders.models.size.Input`) is empty.

    Raises:
        InputError: the model cannot be had, its origins.json cannot be read, or a checkpoint directory's tokenizer
            gives unlike texts the same tokens.
    """
    directory = checkpoint_directory(model.name)
    files = find_files(name, model.name, model.pretrained)
    if directory:  # to refuse it here: the stages that need it come after hours of embedding images
        load_local_tokenizer(directory, model.context_length)
    measured, hashes = measure(model), hash_files(files)
    made_of = read_origins(directory / ORIGINS) if directory else {}
    return {
        "name": model.name,
        "pretrained": model.pretrained,
        "context_length": model.context_length,
        "resize": model.resize,
        "views": model.views,
        "combine": model.combine,
        "files": hashes,
        "origins": made_of | weight_origins(hashes, name),
        "size": measured[0]._asdict() if measured else {"weight_bytes": largest(files)},
        "input": measured[1]._asdict() if measured else {},
    }


def largest(files: Iterable[Path]) -> int:
    """Return the bytes of the largest file."""
    return max(path.stat().st_size for path in files)


def licence_of(model: Model) -> str:
    """Return the licence that a model's README.md names, or "unknown": it is never guessed.

    The file is in the checkpoint directory, or in the hub's repository that the weights come from. A
    directory without one may have a file LICENSE, whose first line then stands for it.
    """
    directory = checkpoint_directory(model.name)
    if directory is None:
        readme = _hub_readme(model)
        return _named_in(readme) if readme else UNKNOWN
    licence = _named_in(directory / "README.md")
    texts = sorted(filter(is_licence, directory.iterdir())) if directory.is_dir() else []
    if licence != UNKNOWN or not texts:
        return licence
    lines = texts[0].read_text(encoding="utf-8", errors="replace").split("\n")
    return one_line(next((line.strip() for line in lines if line.strip()), UNKNOWN), 40)


def _named_in(readme: Path) -> str:
    """Return the ``license`` (or, where it is "other", ``license_name``) of a README.md's front matter."""
    try:
        _, front, _ = readme.read_text(encoding="utf-8").split("---\n", 2)
        fields = load_yaml(front)
        name = fields["license"]
    except (OSError, ValueError, LookupError, TypeError):
        return UNKNOWN  # no such file, or one that does not say
    return one_line(fields.get("license_name", name) if name == "other" else name, 40)


def _hub_readme(model: Model) -> Path | None:
    """Return the README.md of the repository on the hub that a model's weights come from, if any."""
    if model.name.startswith(HF_HUB):
        repository = model.name.removeprefix(HF_HUB)
    else:
        config = open_clip.get_pretrained_cfg(model.name, model.pretrained or "")
        repository = config.get("hf_hub", "").rpartition("/")[0]
    try:
        return Path(hf_hub_download(repository, "README.md")) if repository else None
    except Exception:  # no network, no such file, no such repository
        return None
