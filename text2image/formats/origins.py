"""What wrote texts and what a model is made of, so that no model is measured on its own words.

A pair of a label source and a system is *circular* where both go back to the same weights, or where the system reads
the very texts that it is asked for: such a test asks a network twice, and finds even wrong labels first. Both sides
state their origins, ``{identity: what people call it}``; a pair is circular where the identities of two sets meet.
What people write has no origin but its own texts, so it is circular with nothing but a system that reads these texts.

What is compared is files as they are. A network that was cut out of another file, or trained on from it elsewhere,
is recognised only where somebody says so: in a file ``origins.json`` beside the weights.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from text2image.base.console import InputError, one_line

ORIGINS = "origins.json"
"""The file of a checkpoint directory that says which other weights these were made of."""

WEIGHTS = {".bin", ".ckpt", ".h5", ".msgpack", ".npz", ".onnx", ".pt", ".pth", ".safetensors"}
"""What the names of files with weights end with. Others, such as tokenizers, are the same in unlike models."""

Origins = dict[str, str]
"""``{identity: what people call it}``; an identity is a kind and a name: ``sha256:…``, ``hub:…``, ``service:…``,
``labels:…``."""


def weight_origins(hashes: Mapping[str, str], called: str) -> Origins:
    """Return the origins that files of weights are.

    >>> weight_origins({"model.safetensors": "ab12", "config.json": "cd34"}, "resnet")
    {'sha256:ab12': 'resnet'}

    Args:
        hashes: ``{file name: SHA-256}``; files that hold no weights are left out.
        called: what people call the model.
    """
    return {f"sha256:{digest}": called for name, digest in hashes.items() if Path(name).suffix in WEIGHTS}


def text_origins(source: str) -> Origins:
    """Return the origin of texts as such: of all that a label source says, and of all that reads it.

    >>> text_origins("ocr")
    {'labels:ocr': 'the texts of ocr'}
    """
    return {f"labels:{source}": f"the texts of {source}"}


def circular(of_texts: Mapping[str, str], of_system: Mapping[str, str]) -> str:
    """Return why a system is not to be tested with texts; "" where it may be.

    >>> circular({"sha256:ab12": "resnet"}, {"sha256:ab12": "model.bin", "sha256:ef56": "head"})
    'labels and system share resnet'
    >>> circular({"labels:human": "the texts of human"}, {"sha256:ab12": "model.bin"})
    ''
    """
    both = [called for identity, called in of_texts.items() if identity in of_system]
    return f"labels and system share {' and '.join(dict.fromkeys(both))}" if both else ""


def circular_pairs(
    systems: Mapping[str, Origins], sources: Mapping[str, Origins]
) -> dict[tuple[str, str], str]:
    """Return the circular pairs ``{(system, source): why}``.

    Args:
        systems: by name, what each goes back to and reads.
        sources: by name, what wrote the texts of each.
    """
    return {
        (system, source): why
        for system, of_system in systems.items()
        for source, of_texts in sources.items()
        if (why := circular(of_texts, of_system))
    }


def read_origins(path: Path) -> Origins:
    """Read a file of origins, which people may have written; empty where there is none.

    Hashes are read in lower case, as they are written here: some tools print them in upper case.

    Raises:
        InputError: it is not an object of texts by identities.
    """
    if not path.is_file():
        return {}
    expected = f'expected an object {{"sha256:…": "what it is"}} of texts in {path}'
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{expected}, found: {one_line(error)}") from None
    if not isinstance(value, dict) or not all(isinstance(called, str) for called in value.values()):
        raise InputError(f"{expected}, found: {one_line(value)}")
    origins = {}
    for identity, called in value.items():
        kind, colon, name = identity.partition(":")
        if not (kind and colon and name):
            raise InputError(f"{expected}, found {one_line(repr(identity))}, which does not say its kind")
        origins[identity.lower() if kind.lower() == "sha256" else identity] = called
    return origins
