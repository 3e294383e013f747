"""Which part of the library may import which: arrows run one way, and the order is written down here once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pipeline import REPOSITORY

LIBRARY = REPOSITORY / "text2image"

LAYERS = (
    ("base",),
    ("formats",),
    ("collection", "sample"),
    ("encoders",),
    ("labels",),
    ("queries",),
    ("retrieval",),
    ("evaluation",),
    ("finetuning", "cluster"),
    ("params",),
    ("artifacts",),
    ("lockfile",),
    ("pages",),
    ("commands",),
    ("cli",),
)
"""Each may import itself and what stands in a line above it; two in one line do not know each other."""

LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


BY_NAME = ("import_module", "__import__")
"""What imports a module whose name is a string."""


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports anywhere, type checking left out.

    Of names that are put together as the program runs, nothing is known; :func:`imports_unknown_names` finds them.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (name := imported_by_name(node)) and isinstance(name, ast.Constant):
            yield str(name.value)


def imported_by_name(node: ast.AST) -> ast.expr | None:
    """Return the name in a call such as ``import_module("text2image.base")``; None for anything else."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return node.args[0] if called in BY_NAME else None


def imports_unknown_names(path: Path) -> bool:
    names = map(imported_by_name, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return any(name is not None and not isinstance(name, ast.Constant) for name in names)


def part(name: str) -> str:
    """Return the part of the library that a module belongs to: ``encoders`` of text2image.encoders.models."""
    return name.split(".")[1]


def wrong_arrows(library: Path) -> list[str]:
    """Return a sentence for every import that runs against the order."""
    wrong = []
    for path in sorted(library.rglob("*.py")):
        inside = path.relative_to(library).with_suffix("")
        if str(inside) == "__init__":
            continue
        mine = inside.parts[0]
        for name in imports(path):
            if name.split(".")[0] == "stages":
                wrong.append(f"{inside} imports {name}: the library knows no stage")
            if name.startswith("text2image."):
                theirs = part(name)
                if theirs != mine and theirs in LEVEL and LEVEL[theirs] >= LEVEL[mine]:
                    wrong.append(f"{inside} imports {name}: {theirs} does not stand before {mine}")
    return wrong


def test_every_part_has_its_place() -> None:
    parts = {
        path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts - {"__init__", "template"} == LEVEL.keys()


def test_imports_run_one_way() -> None:
    assert wrong_arrows(LIBRARY) == []


def test_an_arrow_against_the_order_is_found(tmp_path: Path) -> None:
    for name, line in (("base", "import text2image.pages.theme"), ("queries", "from stages import label")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "wrong.py").write_text(f"def late():\n    {line}\n")
    assert [sentence.split(":")[0] for sentence in wrong_arrows(tmp_path)] == [
        "base/wrong imports text2image.pages.theme",
        "queries/wrong imports stages",
        "queries/wrong imports stages.label",
    ]


def test_modules_are_imported_by_name_in_two_places() -> None:
    """Where a name is put together, no test sees what is imported; both places are known to the closure's test."""
    found = [path for folder in (LIBRARY, REPOSITORY / "stages") for path in folder.rglob("*.py")]
    places = {path.relative_to(REPOSITORY).as_posix() for path in found if imports_unknown_names(path)}
    assert places == {"text2image/cli.py", "text2image/labels/protocol/source.py"}


def test_an_import_by_name_is_found(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text(
        'def late():\n    return importlib.import_module("text2image.pages.theme"), __import__("a.b")\n'
    )
    assert list(imports(path)) == ["text2image.pages.theme", "a.b"]


def test_stages_import_no_stage_no_command_and_of_pages_the_sheets_alone() -> None:
    for path in (REPOSITORY / "stages").glob("*.py"):
        names = set(imports(path))
        assert {name for name in names if name.startswith("stages")} <= {
            "stages",
            "stages.parse",
            "stages.perform",
            "stages.run",
        }, path
        others = {part(name) for name in names if name.startswith("text2image.")}
        assert not others & {"commands", "cli"}, path
        pages = {name for name in names if name.startswith("text2image.pages.")}
        assert all(name.startswith("text2image.pages.sheets.") for name in pages), path


@pytest.mark.parametrize("folder", sorted(path.parent for path in LIBRARY.rglob("__init__.py")), ids=str)
def test_packages_say_what_they_are_about_and_hold_about_a_dozen_modules(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a package has a docstring"
    if folder != LIBRARY:
        assert len(tree.body) == 1, "and no code"
    assert len(list(folder.glob("*.py"))) - 1 <= 13


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}"
        for folder in (LIBRARY, REPOSITORY / "stages")
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 40
    ]
    assert long == []


def test_only_stages_pages_and_commands_know_where_files_lie() -> None:
    """The folders of the layout occur in no string of the library below the parts that may know them."""
    known = ("data/", "metrics/", "plots/")
    wrong = []
    for path in LIBRARY.rglob("*.py"):
        inside = path.relative_to(LIBRARY)
        if inside.parts[0] in ("artifacts.py", "pages", "commands", "cli.py", "params.py", "__init__.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        paths = [
            node.args[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Path"
            and node.args
        ]
        for argument in paths:
            text = "".join(str(item.value) for item in ast.walk(argument) if isinstance(item, ast.Constant))
            if text.startswith(known):
                wrong.append(f"{inside}:{argument.lineno} {text}")
    assert wrong == []
