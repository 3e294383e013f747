"""A cache of the Hugging Face hub with repositories of one's own, laid out as its client does."""

import hashlib
import shutil
from pathlib import Path


class HubCache:
    """Repositories in a folder; each :meth:`publish` is a commit of the branch ``main``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(self, repository: str, folder: Path) -> str:
        """Make the files of a folder the newest commit of a repository and return its hash."""
        files = sorted(path for path in folder.iterdir() if path.is_file())
        content = b"".join(path.name.encode() + path.read_bytes() for path in files)
        commit = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        place = self.root / f"models--{repository.replace('/', '--')}"
        snapshot = place / "snapshots" / commit
        if not snapshot.exists():
            snapshot.mkdir(parents=True)
            for path in files:
                shutil.copy(path, snapshot / path.name)
        (place / "refs").mkdir(exist_ok=True)
        (place / "refs" / "main").write_text(commit)
        return commit
