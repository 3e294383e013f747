"""The store of costly results: what is in it, and what may go.

``t2i store`` lists every space with what determines it, its size, whether the current
params.yaml uses it, and when a run last did. ``t2i store prune`` says which spaces no current
model, label source or folder uses, and with ``--yes`` deletes them. Answers that were paid for stay, unless
``--paid`` is given too. Other branches may have other models in use: what they need is computed again.

``t2i store verify`` reads all of it and compares every result with its checksum. ``t2i store repair`` makes new files of those
that are damaged, from what is whole in them, and sets the damaged ones aside.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, say
from text2image.base.databases import DamagedFile
from text2image.base.spaces import Space, delete, repair, spaces, verify
from text2image.base.store import cache_root, fingerprint
from text2image.collection.facts import determinants as catalog_determinants
from text2image.collection.groups import determinants as near_duplicate_determinants
from text2image.collection.locations import location
from text2image.encoders.readings import KIND as READINGS
from text2image.encoders.readings import reading_determinants
from text2image.encoders.sentences.cross_encoding import KIND as CROSS_ENCODERS
from text2image.encoders.sentences.cross_encoding import cross_determinants
from text2image.encoders.sentences.encoding import PROMPTS, sentence_determinants
from text2image.encoders.vectors import image_determinants, load_card, text_determinants
from text2image.labels.protocol.answers import all_determinants, store_kind
from text2image.labels.protocol.source import SOURCES, PaidSource, StoredSource, load_source, source_class
from text2image.params import Params, load_params
from text2image.queries.judging.model import judge_determinants, judge_settings
from text2image.retrieval.systems.readers import is_sentence_model
from text2image.retrieval.systems.settings import OPENAI, Rerank
from text2image.retrieval.systems.vision_grades import grader_settings

PAID = {"judgements", *(store_kind(name) for name in SOURCES if issubclass(source_class(name), PaidSource))}
UNUSED = "not in use"


class Use(NamedTuple):
    """What the current params.yaml uses: file names without extension by kind, and kinds in doubt, with why."""

    spaces: set[tuple[str, str]]
    doubts: dict[str, str]

    def add(self, kind: str, determine: Callable[[], Any]) -> None:
        """Add a space by what determines it, or a doubt if that cannot be told."""
        try:
            self.spaces.add((kind, fingerprint(determine())))
        except InputError as error:
            self.doubts[kind] = str(error)

    def state(self, space: Space) -> str:
        """Say whether a space is used."""
        if (space.kind, space.path.stem) in self.spaces:
            return "in use"
        return "unknown" if space.kind in self.doubts else UNUSED


def current_use(params: Params) -> Use:
    """Return what the models, label sources, judge and folder of params.yaml use.

    Where that cannot be told, such as before a model's first run, nothing of the kind counts as unused.
    """
    use = Use(set(), {})
    for name in params.embed.models:
        try:
            card = load_card(ARTIFACTS.card(name))
        except FileNotFoundError:
            doubt = f"model '{name}' has no card yet; run `dvc repro`"
            use.doubts.update({"embeddings": doubt, READINGS: doubt})
            continue
        use.add("embeddings", partial(image_determinants, card, params.embed.precision, params.embed.decode))
        use.add("embeddings", partial(text_determinants, card, params.embed.precision))
        use.add(READINGS, partial(reading_determinants, card))
    for name in dict.fromkeys([*params.label.sources, *params.retrieve.fields]):
        source = load_source(name, params.label.settings(name))
        if isinstance(source, StoredSource):
            use.add(store_kind(name), partial(all_determinants, source))
    judge = params.label.openai, params.judge.prompt, params.judge.budget_usd
    use.add("judgements", lambda: judge_determinants(judge_settings(*judge)))
    add_systems(use, params)
    if params.finetune.models:
        use.doubts["features"] = (
            "which base models' features finetune.models uses is known to fine-tuning alone"
        )
    root = location(params.data.images)
    use.add("catalog", partial(catalog_determinants, root, params.catalog.max_pixels))
    use.add("near_duplicates", partial(near_duplicate_determinants, params.catalog.near_duplicate_levels))
    return use


def add_systems(use: Use, params: Params) -> None:
    """Add what the systems in use have read texts, and the grades that all described ones ask a paid model for."""
    for name, system in params.systems.items():
        if isinstance(system, Rerank) and system.by == OPENAI:
            use.add("judgements", partial(grades_of, name, system, params))
    for name in params.retrieve.systems:
        if not params.used.text_models(name):
            continue
        try:
            cards = load_card(ARTIFACTS.system(name)).get("text_models", {})
        except FileNotFoundError:
            doubt = f"system '{name}' is not described yet; run `dvc repro`"
            use.doubts.update({"embeddings": doubt, CROSS_ENCODERS: doubt})
            continue
        for card in filter(is_sentence_model, cards.values()):
            use.add(CROSS_ENCODERS, partial(cross_determinants, card))
            for role in PROMPTS:
                use.add("embeddings", partial(sentence_determinants, card, role))


def grades_of(name: str, system: Rerank, params: Params) -> Any:
    """Return what determines the grades that a system asks the paid model for."""
    return judge_determinants(grader_settings(params.label.openai, name, system, params.judge.prompt))


def in_words(about: Any) -> str:
    """Return determinants on one short line: texts cut off, tables of hashes as their fingerprint."""
    if not isinstance(about, dict):
        return one_line(about, 60)
    parts = [
        f"{key} {fingerprint(value)[:8] if isinstance(value, dict | list) else one_line(value, 40)}"
        for key, value in about.items()
        if value is not None
    ]
    return one_line(", ".join(parts), 160)


def show(found: Sequence[Space], use: Use) -> None:
    """Print every space.

    Raises:
        InputError: some of it cannot be read; all else is printed.
    """
    readable = [space for space in found if not space.problem]
    for space in readable:
        day = time.strftime("%Y-%m-%d", time.localtime(space.used))
        print(f"{name_of(space)}: {use.state(space)}, last used {day}")
        print(f"    {in_words(space.about)}")
        print(f"    {space.entries:,} entries, {size(space.bytes)}")
    print(f"{len(readable)} spaces, {size(sum(space.bytes for space in readable))} in {cache_root()}")
    check_problems(found)


def name_of(space: Space) -> str:
    """Return how a space is named in what is printed."""
    return f"{space.kind}/{space.path.name}"


def check_problems(found: Sequence[Space]) -> None:
    """Say what is wrong with files and folders, the last of them as an InputError."""
    problems = [space.problem for space in found if space.problem]
    for problem in problems[:-1]:
        say(str(problem))
    if problems:
        raise problems[-1]


def verify_all(found: Sequence[Space]) -> None:
    """Look at every row of every space, and print what was found.

    Raises:
        InputError: something is damaged.
    """
    damaged, problems = 0, list(found)
    for number, space in enumerate(found):
        if space.problem:
            continue
        try:
            seen = verify(space.path, space.kind in PAID)
        except InputError as error:
            problems[number] = space._replace(problem=error)
            continue
        damaged += seen.damaged
        new = f", {seen.new:,} of them without a checksum until now" if seen.new else ""
        aside = f", {seen.aside:,} damaged set aside" if seen.aside else ""
        print(f"{name_of(space)}: {seen.entries:,} entries are whole{new}{aside}")
    check_problems(problems)
    if damaged:
        raise InputError(
            f"expected every result in {cache_root()} to be what its checksum says, found damage to {damaged:,}; they are kept "
            "apart now, and what needs them computes them anew, or asks for them anew if they were paid for"
        )


def repair_all(found: Sequence[Space]) -> None:
    """Make new files of those that are damaged, and print what was kept.

    Raises:
        InputError: what is wrong cannot be repaired so.
    """
    left, sound = [], 0
    for space in found:
        try:
            if not space.problem:
                verify(space.path, space.kind in PAID)
                sound += 1
                continue
        except InputError as error:
            space = space._replace(problem=error)
        if not isinstance(space.problem, DamagedFile):
            left.append(space)
            continue
        kept = repair(space.path, keep_unchecked=space.kind in PAID)
        unchecked = f", and {kept.unchecked:,} that have no checksum" if kept.unchecked else ""
        print(
            f"{name_of(space)}: {kept.whole:,} entries are whole and were kept{unchecked}; the damaged file is {kept.aside}"
        )
    print(f"{sound} of {len(found)} files needed no repair")
    check_problems(left)


def size(count: float) -> str:
    """Return a number of bytes as people write it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.2f} GB"


def prune(found: Sequence[Space], use: Use, *, yes: bool, paid: bool) -> None:
    """Delete the spaces that are not in use, or only say which they are.

    Raises:
        InputError: some of it cannot be read, and stays.
    """
    for kind, doubt in use.doubts.items():
        say(f"{kind} is left alone: {doubt}")
    going = []
    for space in (space for space in found if not space.problem and use.state(space) == UNUSED):
        name = name_of(space)
        if space.kind in PAID and not paid:
            say(f"{name} was paid for and stays ({space.entries:,} answers; --paid deletes it)")
            continue
        print(f"{name}: {space.entries:,} entries, {size(space.bytes)}")
        print(f"    {in_words(space.about)}")
        if yes and not delete(space.path):
            say(f"{space.path} is in use by another process and stays")
        else:
            going.append(space.bytes)
    total = size(sum(going))
    print(
        f"{total} deleted"
        if yes
        else f"{len(going)} spaces with {total} would be deleted; --yes deletes them"
    )
    check_problems(found)


def main(argv: Sequence[str]) -> None:
    parser = Parser("t2i store", description="Look at and tidy up the store of costly results.")
    parser.add_argument("what", nargs="?", choices=["show", "prune", "verify", "repair"], default="show")
    parser.add_argument("--yes", action="store_true", help="delete what prune names")
    parser.add_argument("--paid", action="store_true", help="delete unused answers that were paid for, too")
    options = parser.parse_args(argv)
    found = list(spaces(cache_root()))
    if options.what == "verify":
        verify_all(found)
    elif options.what == "repair":
        repair_all(found)
    elif options.what == "prune":
        prune(found, current_use(load_params()), yes=options.yes, paid=options.paid)
    else:
        show(found, current_use(load_params()))
