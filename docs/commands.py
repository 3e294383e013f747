"""The commands in the project's documents: everything after ``$`` in a block of the language console.

A comment above a block says what its commands need that not every machine has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEAD_LINES = 14
SHOWN = ("cat ", "head ", "dvc metrics diff ", "t2i search ")
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


def with_outputs(document: str, run: Callable[[str], str]) -> str:
    """Return a document in which the commands that print a little (``SHOWN``) stand above what they print.

    Args:
        run: returns what a command prints.
    """

    def renewed(block: re.Match[str]) -> str:
        lines = []
        for line in block["body"].splitlines():
            if not line.startswith("$ "):
                continue
            lines.append(line)
            if not block["needs"] and line[2:].startswith(SHOWN):
                printed = [text.rstrip() for text in run(line[2:]).splitlines()]
                lines += printed[:HEAD_LINES] + ["…"] * (len(printed) > HEAD_LINES)
        start = block.start("body") - block.start()
        return f"{block[0][:start]}{chr(10).join(lines)}\n```"

    return BLOCK.sub(renewed, document)
