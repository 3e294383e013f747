"""What a project outside the checkout records of the installed library: ``library/PART.txt``, a digest of each part.

In the checkout a stage depends on directories of the library, such as ``text2image/encoders``. A project that
``t2i init`` made has no such directories, so its stages depend on ``library/encoders.txt`` instead: an upgrade
reruns what depends on a part exactly when that part changed.
"""

import hashlib
from pathlib import Path

FOLDER = Path("library")
PACKAGE = Path(__file__).parents[1]


def record_of(part: str) -> Path:
    """Return where a part (``encoders``, ``labels/ocr``, ``pages/theme.py``) is recorded below the project's root."""
    return FOLDER / f"{part}.txt"


def digest(part: str) -> str:
    """Return the SHA-256 of the names and bytes of a part's files; of nothing where there is no such part."""
    path, known = PACKAGE / part, hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            known.update(f"{file.relative_to(PACKAGE).as_posix()} {content}\n".encode())
    return known.hexdigest()


def changed_parts(root: Path = Path()) -> list[str]:
    """Return the parts that are not as the project at ``root`` records them; none in the checkout."""
    folder = root / FOLDER
    parts = [file.relative_to(folder).as_posix().removesuffix(".txt") for file in folder.rglob("*.txt")]
    return sorted(part for part in parts if (root / record_of(part)).read_text().strip() != digest(part))
