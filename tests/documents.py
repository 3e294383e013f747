"""The commands in the project's documents: everything after ``$`` in a block of the language console."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- needs: (?P<needs>[^\n]*) -->\n)?^```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)


class Command(NamedTuple):
    """A command of a document.

    Attributes:
        text: what is typed, without the comment behind it.
        needs: what it takes that not every machine has, as the comment above its block says; "" for nothing.
        output: the lines that the document shows below it.
    """

    text: str
    needs: str
    output: list[str]


def commands(document: str) -> list[Command]:
    """Return the commands of a document in order."""
    found: list[Command] = []
    for block in BLOCK.finditer(document):
        for line in block["body"].splitlines():
            if line.startswith("$ "):
                text = re.sub(r"\s+# .*", "", line[2:])
                found.append(Command(text, block["needs"] or "", []))
            else:
                found[-1].output.append(line)
    return found
