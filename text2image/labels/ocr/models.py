"""The models of RapidOCR: those in its package, recognisers that it offers for other languages, or one of your own.

The detector finds text in any script; what is read depends on the recogniser. That of the package reads Latin letters,
Chinese and Japanese. Others are downloaded by RapidOCR, once, into ``.cache/rapidocr``, and only where
``label.ocr.language`` asks for one.
"""

import logging
import os
from collections.abc import Mapping
from importlib.metadata import files, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from text2image.base.console import InputError, one_line, say
from text2image.base.store import cache_root
from text2image.formats.files import sha256, sha256_once

LANGUAGE_KEY, MODEL_KEY = "label.ocr.language", "label.ocr.model"
RIGHT_TO_LEFT = ("arabic",)
HEIGHT = 48  # pixels, of the lines that RapidOCR gives a recogniser
EXTRA_OUTPUTS = 2  # that RapidOCR adds: the blank between characters, and the space


class Models(NamedTuple):
    """The files that an engine is made of.

    Attributes:
        detector, recogniser: ONNX models.
        characters: the recogniser's, a line each; None if it names them itself, as models of RapidOCR do.
        language: RapidOCR's name of the recogniser's language.
    """

    detector: Path
    recogniser: Path
    characters: Path | None = None
    language: str = "ch"

    def hashes(self) -> dict[str, str]:
        """Return ``{file name: SHA-256}``."""
        paths = (self.detector, self.recogniser, self.characters)
        return {path.name: sha256_once(path) for path in paths if path is not None}


def find_models(language: str | None = None, model: str | None = None) -> Models:
    """Return the models on this machine.

    Args:
        language: RapidOCR's name of a language; None for the recogniser in the package.
        model: a recogniser's file; None for RapidOCR's for the language.

    Raises:
        InputError: a package, the language's recogniser or the file is missing.
    """
    require_packages(language)
    found = Models(shipped("Det"), shipped("Rec"))
    if model is not None:
        path = Path(model)
        if not path.is_file():
            raise InputError(
                f"expected the file of a recognition model (params key {MODEL_KEY}), found no file {one_line(path)}"
            )
        beside = path.with_suffix(".txt")
        found = found._replace(recogniser=path, characters=beside if beside.is_file() else None)
    elif language is not None:
        found = found._replace(recogniser=downloaded(offered(language)))
    return found if language is None else found._replace(language=language)


def require_packages(language: str | None) -> None:
    """Check that what the models need is installed, and that RapidOCR knows the language.

    Raises:
        InputError: it is not, or does not.
    """
    for package in ("onnxruntime", "rapidocr"):
        if find_spec(package) is None:
            raise InputError(
                f"expected the packages of the label source 'ocr' (params key label.sources), found no {package}; "
                "run pip install 'text2image-retrieval[ocr]', or in this repository: pip install -e '.[ocr]'"
            )
    if language is not None:
        offered(language)
    if language in RIGHT_TO_LEFT and find_spec("bidi") is None:
        raise InputError(
            f"expected the package python-bidi for the language '{language}' (params key {LANGUAGE_KEY}), found none; "
            "run pip install python-bidi"
        )


def shipped(task: str) -> Path:
    """Return the model for ``Det`` or ``Rec`` in the package.

    Raises:
        InputError: there is not exactly one.
    """
    fitting = [path for path in shipped_files() if f"_{task.lower()}_" in path.name]
    if len(fitting) != 1:
        raise InputError(
            f"expected one {task} model in the package rapidocr {version('rapidocr')} for the label source "
            f"'ocr', found {len(fitting)}; install the version that constraints.txt names"
        )
    return fitting[0]


def shipped_files() -> list[Path]:
    """Return the models that the package was installed with."""
    paths = [Path(str(file.locate())) for file in files("rapidocr") or () if file.suffix == ".onnx"]
    return [path for path in paths if path.is_file()]


def offered(language: str) -> Mapping[str, Any]:
    """Return RapidOCR's entry of the recogniser for a language: ``model_dir``, a URL, and ``SHA256``.

    That of the newest models which know the language: those of the package, then others.

    Raises:
        InputError: RapidOCR has none.
    """
    from rapidocr.inference_engine.base import FileInfo, InferSession
    from rapidocr.utils.model_resolver import list_supported_langs
    from rapidocr.utils.typings import EngineType, ModelType, OCRVersion, TaskType

    known: set[str] = set()
    for release, size in (
        (OCRVersion.PPOCRV6, ModelType.SMALL),
        (OCRVersion.PPOCRV5, ModelType.MOBILE),
        (OCRVersion.PPOCRV4, ModelType.MOBILE),
    ):
        languages = list_supported_langs(TaskType.REC, release, size)
        if language in languages:
            info = FileInfo(EngineType.ONNXRUNTIME, release, TaskType.REC, language, size)
            entry: Mapping[str, Any] = InferSession.get_model_url(info)
            return entry
        known.update(languages)
    raise InputError(
        f"expected a language of RapidOCR (params key {LANGUAGE_KEY}): {', '.join(sorted(known))}; "
        f"found '{one_line(language)}'"
    )


def downloaded(entry: Mapping[str, Any]) -> Path:
    """Return the file of RapidOCR's entry: in the package, or where :func:`fetch_recogniser` puts it.

    Raises:
        InputError: it was not downloaded, or is not what RapidOCR says it is.
    """
    name: str = entry["model_dir"].rpartition("/")[2]
    for path in (*shipped_files(), cache_root() / "rapidocr" / name):
        if path.name == name and path.is_file() and sha256(path) == entry["SHA256"]:
            return path
    raise InputError(
        f"expected the model {name} (params key {LANGUAGE_KEY}) in {cache_root() / 'rapidocr'}, found none; "
        "`dvc repro` downloads it"
    )


def fetch_recogniser(language: str) -> None:
    """Download the recogniser for a language, unless it is there.

    Raises:
        InputError: it cannot be had.
    """
    entry = offered(language)
    try:
        downloaded(entry)
    except InputError:
        say(f"label ocr: downloads the recogniser for '{language}' from {entry['model_dir']}")
        _download(entry, cache_root() / "rapidocr")


def _download(entry: Mapping[str, Any], folder: Path) -> None:
    from rapidocr.utils.download_file import DownloadFile, DownloadFileException, DownloadFileInput

    url: str = entry["model_dir"]
    name, quiet = url.rpartition("/")[2], logging.getLogger(__name__)
    quiet.disabled = True  # what RapidOCR would log is said below
    part = folder / f".{os.getpid()}-{name}"
    try:
        DownloadFile.run(DownloadFileInput(url, part, quiet, verbose=False))
        found = sha256(part)
        if found == entry["SHA256"]:
            part.replace(folder / name)
    except (DownloadFileException, OSError) as error:
        cause = error.__cause__ or error
        raise InputError(
            f"expected the recogniser for {LANGUAGE_KEY} from {url}, found no connection ({type(cause).__name__}); run "
            f"again with a network, or bring the file and name it under {MODEL_KEY}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    if found != entry["SHA256"]:
        raise InputError(
            f"expected the recogniser with the SHA-256 {entry['SHA256']} at {url}, found {found}"
        )


def check_recogniser(models: Models) -> None:
    """Open a recogniser of one's own, so that it fails before the first image.

    Raises:
        InputError: it is no model that RapidOCR can run, or nothing names its characters.
    """
    import onnxruntime

    path = models.recogniser
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has an exception for each kind of broken file
        raise InputError(
            f"expected an ONNX model (params key {MODEL_KEY}), found {one_line(path)}, which ONNX Runtime cannot open "
            f"({type(error).__name__})"
        ) from error
    lines, characters = session.get_inputs()[0].shape, session.get_outputs()[0].shape[-1]
    if len(lines) != 4 or (isinstance(lines[2], int) and lines[2] != HEIGHT):
        raise InputError(
            f"expected a recogniser of lines {HEIGHT} pixels high (params key {MODEL_KEY}), found {one_line(path)}, which "
            f"takes {lines}"
        )
    check_characters(models, session.get_modelmeta().custom_metadata_map.get("character"), characters)


def check_characters(models: Models, within: str | None, outputs: int | str) -> None:
    """Check that a recogniser's characters are named, in the model or beside it, and as many as it has outputs.

    Args:
        within: those in its metadata, a line each; None if it has none there.
        outputs: its classes, ``EXTRA_OUTPUTS`` of which are none; a name where the model does not fix them.

    Raises:
        InputError: they are not.
    """
    path, beside = one_line(models.recogniser), models.recogniser.with_suffix(".txt")
    if within is None and models.characters is None:
        raise InputError(
            f"expected the characters of {path} (params key {MODEL_KEY}) in its metadata or, a line each, in "
            f"{one_line(beside)}, found neither"
        )
    found = len(beside.read_bytes().splitlines() if within is None else within.splitlines())
    if isinstance(outputs, int) and found != outputs - EXTRA_OUTPUTS:
        where = "its metadata" if within is not None else one_line(beside)
        raise InputError(
            f"expected {outputs - EXTRA_OUTPUTS} characters for {path} (params key {MODEL_KEY}), found {found} in {where}"
        )
