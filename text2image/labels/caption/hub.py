"""Where a captioner's files are: a folder, or a commit of a repository on the Hugging Face hub.

The name of a repository says nothing of what is in it, and a branch moves: so the commit is found once, answers
are stored under it, and the model is loaded from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download

from text2image.base.console import InputError, one_line
from text2image.formats.files import sha256
from text2image.labels.caption.settings import Settings

CONFIG = "config.json"  # which every model has


def find_commit(settings: Settings, *, local_only: bool) -> str:
    """Return the commit that ``label.caption.revision`` means.

    Args:
        settings: of a model on the hub.
        local_only: look into the cache on this machine alone; else ask the hub for the newest commit of a branch.

    Raises:
        InputError: there is no such model, or the hub is out of reach and the cache does not have it.
    """
    try:
        path = hf_hub_download(
            settings.model, CONFIG, revision=settings.revision, local_files_only=local_only
        )
    except Exception as error:  # of the hub's client, of its transport, of names that cannot be one
        raise unavailable(settings, error) from None
    return Path(path).parent.name


def hash_folder(folder: Path) -> dict[str, str]:
    """Return ``{path: SHA-256}`` of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def location(settings: Settings) -> dict[str, Any]:
    """Return the arguments of ``from_pretrained`` that say what to load."""
    folder = Path(settings.model).is_dir()
    return {
        "pretrained_model_name_or_path": settings.model,
        "revision": "main" if folder else find_commit(settings, local_only=True),
        "trust_remote_code": settings.trust_remote_code,
    }


def unavailable(settings: Settings, error: Exception) -> InputError:
    """Return the sentence that says why a model cannot be had."""
    return InputError(
        f"expected a Hugging Face image-to-text model for label.caption.model in params.yaml, found that "
        f"'{settings.model}' cannot be loaded or downloaded ({one_line(error) or type(error).__name__}); set HF_HOME to a "
        "folder that has it, or label.caption.model to the folder of a copy; a model that brings its own code "
        "needs label.caption.trust_remote_code: true"
    )
