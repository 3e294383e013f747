"""Answers are asked for once, and kept the moment they come."""

import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from text2image.base.settings import Runtime, Section
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile
from text2image.formats.origins import Origins
from text2image.labels.human.source import Settings as HumanSettings
from text2image.labels.human.source import Source as HumanSource
from text2image.labels.protocol.answers import all_determinants, collect_answers, estimate, store_kind
from text2image.labels.protocol.source import (
    Answer,
    Ask,
    ComputedSource,
    ImageAnswer,
    Label,
    NoLabel,
    PaidSource,
)

pytestmark = pytest.mark.usefixtures("own_cache")

IMAGES = [ImageFile(name, Path(name)) for name in "abcd"]


class Computed(ComputedSource):
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self, version: int = 1, **answers: Answer) -> None:
        self.version, self.answers = version, answers
        self.asked: list[str] = []
        self.fetched = False

    def fetch(self) -> None:
        self.fetched = True

    def determinants(self) -> dict[str, Any]:
        assert self.fetched, "what is not on this machine yet cannot be named"
        return {"version": self.version}

    def origins(self) -> Origins:
        return {}

    def load(self, runtime: Runtime) -> Ask:
        def ask(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
            for image in images:
                self.asked.append(image.image_id)
                if image.image_id not in self.answers:
                    raise KeyboardInterrupt
                yield image.key, self.answers[image.image_id]

        return ask

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        raise NotImplementedError


class Paid(PaidSource):
    """Leaves an image out, and answers for another again."""

    max_images = None

    def determinants(self) -> dict[str, Any]:
        return {}

    def origins(self) -> Origins:
        return {}

    def ask(
        self, images: Sequence[ImageFile], stored: Mapping[str, Answer], runtime: Runtime
    ) -> Generator[ImageAnswer, None, None]:
        for image in images[:-1]:
            yield image.image_id, {"number": stored.get(image.image_id, {"number": 0})["number"] + 1}

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        raise NotImplementedError

    def figures(self, answers: Iterable[Answer]) -> dict[str, Any]:
        raise NotImplementedError

    def estimate(self, images: Sequence[ImageFile], stored: Mapping[str, Answer]) -> str:
        return f"{len(images)} images, {len(stored)} stored"


def test_what_is_stored_is_not_asked_again(runtime: Runtime) -> None:
    killed = Computed(a={"n": 1}, b={"failure": "blurred"})
    with pytest.raises(KeyboardInterrupt):
        collect_answers("made_up", killed, IMAGES, runtime)
    assert killed.asked == ["a", "b", "c"]
    again = Computed(c={"n": 3}, d={"n": 4})
    answers = collect_answers("made_up", again, IMAGES, runtime)
    assert again.asked == ["c", "d"], "a failure is an answer too"
    assert answers == {"a": {"n": 1}, "b": {"failure": "blurred"}, "c": {"n": 3}, "d": {"n": 4}}


def test_of_two_runs_the_second_waits_and_asks_nothing_twice(runtime: Runtime) -> None:
    """As an orphaned stage beside a new run; what is paid for is refused instead (``exclusive_lock``)."""
    began, may_go_on = threading.Event(), threading.Event()

    class Slow(Computed):
        def load(self, runtime: Runtime) -> Ask:
            def ask(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
                began.set()
                assert may_go_on.wait(20)
                yield from Computed.load(self, runtime)(images)

            return ask

    answers: dict[str, Answer] = {image.image_id: {"n": 1} for image in IMAGES}
    first, second = Slow(1, **answers), Slow(1, **answers)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(collect_answers, "made_up", first, IMAGES, runtime)
        assert began.wait(20)
        other = pool.submit(collect_answers, "made_up", second, IMAGES, runtime)
        with pytest.raises(TimeoutError):
            other.result(0.3)
        may_go_on.set()
        assert one.result(20) == other.result(20) == answers
    assert second.asked == []


def test_damaged_answers_are_asked_for_anew(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    answers: dict[str, Answer] = {image.image_id: {"n": 1} for image in IMAGES}
    source = Computed(1, **answers)
    collect_answers("made_up", source, IMAGES, runtime)
    with Store(store_kind("made_up"), all_determinants(source)) as store:
        store.put([("b", b'{"n": '), ("c", b"[1]"[:2])])
    again = Computed(1, **answers)
    assert collect_answers("made_up", again, IMAGES, runtime) == answers
    assert again.asked == ["b", "c"]
    assert "found damage to 2, such as that of b:" in capsys.readouterr().err


def test_a_transient_failure_is_listed_and_asked_again(runtime: Runtime) -> None:
    failure: Answer = {"failure": "memory was short", "transient": True}
    first = collect_answers("made_up", Computed(a=failure, b={"n": 2}), IMAGES[:2], runtime)
    assert first == {"a": failure, "b": {"n": 2}}
    again = Computed(a={"n": 1})
    assert collect_answers("made_up", again, IMAGES[:2], runtime) == {"a": {"n": 1}, "b": {"n": 2}}
    assert again.asked == ["a"]


def test_an_answer_that_no_longer_holds_is_not_used_where_the_new_one_fails(runtime: Runtime) -> None:
    collect_answers("made_up", Computed(a={"n": 1}), IMAGES[:1], runtime)
    failure: Answer = {"failure": "memory was short", "transient": True}
    again = Computed(a=failure)
    again.is_current = lambda answer: False  # type: ignore[method-assign]
    assert collect_answers("made_up", again, IMAGES[:1], runtime) == {"a": failure}


def test_other_determinants_are_asked_anew(runtime: Runtime) -> None:
    collect_answers("made_up", Computed(a={"n": 1}), IMAGES[:1], runtime)
    assert collect_answers("made_up", Computed(2, a={"n": 2}), IMAGES[:1], runtime) == {"a": {"n": 2}}
    assert collect_answers("made_up", Computed(1), IMAGES[:1], runtime) == {"a": {"n": 1}}


def test_images_that_are_rendered_otherwise_are_asked_anew(runtime: Runtime) -> None:
    collect_answers("made_up", Computed(a={"n": 1}, b={"n": 2}), IMAGES[:2], runtime)
    images = [IMAGES[0]._replace(rendering="icc1"), IMAGES[1]]
    other = Computed(a={"n": 3})
    assert collect_answers("made_up", other, images, runtime) == {"a": {"n": 3}, "b": {"n": 2}}
    assert other.asked == ["a"]
    assert collect_answers("made_up", Computed(), IMAGES[:2], runtime) == {"a": {"n": 1}, "b": {"n": 2}}


def test_answers_under_something_else_than_a_key_are_a_defect(runtime: Runtime) -> None:
    source = Computed(a={"n": 1})
    source.load = lambda runtime: lambda images: iter([("a", {"n": 1})])  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"'made_up' to answer under image\.key, found 'a'"):
        collect_answers("made_up", source, [IMAGES[0]._replace(rendering="bits1")], runtime)


def test_an_answer_that_was_paid_for_is_on_disk_before_the_next_is_taken(runtime: Runtime) -> None:
    class Watched(Paid):
        def ask(
            self, images: Sequence[ImageFile], stored: Mapping[str, Answer], runtime: Runtime
        ) -> Generator[ImageAnswer, None, None]:
            with Store(store_kind("paid"), all_determinants(self)) as store:
                for image in images:
                    yield image.image_id, {"number": 1}
                    assert store.missing([image.image_id]) == []

    assert len(collect_answers("paid", Watched(Section()), IMAGES, runtime)) == len(IMAGES)


def test_computed_answers_are_written_together_and_come_back(runtime: Runtime) -> None:
    images = [ImageFile(f"{number:016x}", Path(str(number))) for number in range(1000)]
    answers: dict[str, Answer] = {image.image_id: {"n": number} for number, image in enumerate(images)}
    assert collect_answers("made_up", Computed(1, **answers), images, runtime) == answers
    assert collect_answers("made_up", Computed(), images, runtime) == answers


def test_a_paid_source_chooses_what_to_ask(runtime: Runtime) -> None:
    assert collect_answers("paid", Paid(Section()), IMAGES, runtime) == {
        name: {"number": 1} for name in "abc"
    }
    assert collect_answers("paid", Paid(Section()), IMAGES, runtime) == {
        name: {"number": 2} for name in "abc"
    }
    assert estimate("paid", Paid(Section()), IMAGES) == "4 images, 3 stored"


def test_other_sources_cost_nothing() -> None:
    free = HumanSource(HumanSettings(path="labels.csv"))
    for source in (free, Computed()):
        assert estimate("made_up", source, IMAGES) == "label made_up: costs nothing but time"
