"""Which stages' results are out of date, and why.

DVC writes dvc.lock stage by stage, so after a run that failed half-way it says which results were made from which
inputs. A stage is out of date where its parameters or inputs are not those that it ran with, or where a stage is that it
depends on. Code does not count: an edit of it may rerun a stage, but its figures belong to the same images, queries and
parameters.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from text2image.lockfile.reading import ABSENT, CODE, PARAMS, PathOf, Recorded, Stage, value_of
from text2image.retrieval.systems.settings import System, Systems

OF_SERVICE = ("judge.", "label.openai.")
"""How the keys of params.yaml begin of which only systems that rerank by the vision model depend."""

Digest = Callable[[str], str | None]
"""Returns the MD5 of a file's bytes in hex, by its path in the project; None if there is no such file."""


class OutOfDate(NamedTuple):
    """Why a stage's results are out of date: on its ``own`` account, or that of stages that it depends on (``others``)."""

    own: list[str]
    others: list[str]

    @property
    def reasons(self) -> list[str]:
        """All reasons, its own first."""
        return list(dict.fromkeys([*self.own, *self.others]))


def digests(path_of: PathOf) -> Digest:
    """Return what hashes files as dvc.lock does."""

    def digest(name: str) -> str | None:
        path = path_of(Path(name))
        if path is None or not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, _md5).hexdigest()

    return digest


def _md5(content: bytes = b"") -> Any:
    return hashlib.md5(content, usedforsecurity=False)


def find_out_of_date(recorded: Recorded, digest: Digest, running: str = "") -> dict[str, OutOfDate]:
    """Return the stages that are out of date, with the reasons.

    Args:
        recorded: from :func:`read_recorded`.
        digest: of the project's files.
        running: a stage that runs just now, whose metrics DVC has taken away.
    """
    made = {
        out["path"]: out.get("md5")
        for name in recorded.defined
        for out in recorded.locked.get(name, {}).get("outs", ())
    }
    own = {name: list(_own(name, recorded, made, digest)) for name in recorded.defined}
    unfinished = {
        name: [] if name == running else list(_unfinished(name, recorded, digest))
        for name in recorded.defined
    }
    makers, found = _makers(recorded.defined), {}
    for name in recorded.defined:
        before = _ancestors(name, makers)
        others = [reason for other in own if other in before for reason in (*own[other], *unfinished[other])]
        if own[name] or others:
            found[name] = OutOfDate(own[name], list(dict.fromkeys(others)))
    return found


def _own(name: str, recorded: Recorded, made: Mapping[str, str | None], digest: Digest) -> Iterator[str]:
    """Yield why the results of a stage are not those of its present parameters and inputs."""
    stage, entry = recorded.defined[name], recorded.locked.get(name)
    if entry is None:
        yield f"stage {name} has not run"
        return
    for file, keys in stage.params.items():
        ran_with = entry.get("params", {}).get(file, {})
        yield from (
            f"params key {key} changed"
            for key in keys
            if ran_with.get(key, ABSENT) != value_of(recorded.params[file], key)
            and not (
                name == "systems" and key.startswith(OF_SERVICE) and not asks_service(recorded.params[PARAMS])
            )
        )
    deps = {dep["path"]: dep for dep in entry.get("deps", ()) if not dep["path"].startswith(CODE)}
    if new := [path for path in stage.deps if path not in deps]:
        added, dropped = ", ".join(new), ", ".join(path for path in deps if path not in stage.deps)
        yield f"{added} took the place of {dropped}" if dropped else f"stage {name} ran without {added}"
    for path in (path for path in stage.deps if deps.get(path, {}).get("hash") == "md5"):
        then = deps[path]["md5"]
        now = _made_now(path, deps[path], made) or (None if then.endswith(".dir") else digest(path))
        if now and now != then:
            yield f"{path} changed"
    written = {out["path"]: out.get("md5") for out in entry.get("outs", ())}
    yield from (
        f"{path} is not what stage {name} wrote"
        for path in stage.metrics
        if (now := digest(path)) and now != written.get(path)
    )


def asks_service(params: Any) -> bool:
    """Return whether a system in use asks the vision model of ``label.openai`` for grades.

    The stage ``systems`` depends on that model's settings whether or not one does, since DVC knows no other way; without
    one they change no result.

    >>> params = {"embed": {"models": ["a"]}, "systems": {"second": {"kind": "rerank", "of": "a"}}}
    >>> asks_service(params | {"retrieve": {"systems": ["a"]}})
    False
    >>> asks_service(params | {"retrieve": {"systems": ["a", "second"]}})
    True
    """
    try:
        described = TypeAdapter(dict[str, System]).validate_python(params["systems"])
        systems = Systems(described, params["embed"]["models"])
        return any(systems.paid(name) for name in params["retrieve"]["systems"])
    except (KeyError, RecursionError, ValidationError):  # of another version, or to be refused: it may
        return True


def _unfinished(name: str, recorded: Recorded, digest: Digest) -> Iterator[str]:
    """Yield why a stage did not end well since dvc.lock recorded it: metrics that it wrote are gone.

    What it writes next may differ, so that what follows from it is out of date.
    """
    for path in recorded.defined[name].metrics if name in recorded.locked else ():
        if digest(path) is None:
            yield f"{path} of stage {name} is gone"


def _made_now(path: str, dep: Mapping[str, Any], made: Mapping[str, str | None]) -> str | None:
    """Return the hash that a dependency has by what dvc.lock says of its makers; None where that does not tell.

    A folder of outputs of several stages has the hash of a list of its files, as DVC makes it; it does not tell where
    there are other files in it.
    """
    inside = {out[len(path) + 1 :]: md5 for out, md5 in made.items() if out.startswith(f"{path}/")}
    if path in made or not inside:
        return made.get(path)
    if len(inside) != dep.get("nfiles") or not all(md5 and "." not in md5 for md5 in inside.values()):
        return None
    files = [{"md5": inside[name], "relpath": name} for name in sorted(inside)]
    return f"{_md5(json.dumps(files, sort_keys=True).encode()).hexdigest()}.dir"


def _makers(stages: Mapping[str, Stage]) -> dict[str, set[str]]:
    """Return, by stage, the stages that write what it reads: the same path, one inside it or one around it."""
    at, inside = dict[str, str](), defaultdict[str, set[str]](set)
    for name, stage in stages.items():
        for out in stage.outs:
            at[out] = name
            for folder in PurePosixPath(out).parents:
                inside[str(folder)].add(name)
    return {
        name: {
            maker
            for dep in stage.deps
            for maker in (
                *inside.get(dep, ()),
                *(at.get(str(p), name) for p in (dep, *PurePosixPath(dep).parents)),
            )
        }
        - {name}
        for name, stage in stages.items()
    }


def _ancestors(name: str, makers: Mapping[str, set[str]]) -> set[str]:
    """Return the stages that a stage depends on, directly or through others."""
    found, todo = set[str](), list(makers[name])
    while todo:
        if (other := todo.pop()) not in found:
            found.add(other)
            todo += makers[other]
    return found
