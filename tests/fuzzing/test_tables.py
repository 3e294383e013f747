"""Damaged tables: captions, judgements, TREC files and what passes between stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fuzzing import fuzz, mutated, refused
from text2image.base.console import InputError
from text2image.collection.locations import read_pin
from text2image.collection.manifest import read_groups, read_manifest
from text2image.commands.judge import read_suspicion
from text2image.encoders.throughput import read_query_times, read_speeds
from text2image.evaluation.results import read_ranks
from text2image.formats.fields import read_fields
from text2image.formats.origins import read_origins
from text2image.formats.searched import read_searched
from text2image.formats.tables import read_columns, read_csv
from text2image.formats.trec import read_qrels, read_queries, read_run
from text2image.formats.views import read_views
from text2image.labels.human.table import read_captions
from text2image.queries.asked import read_clusters
from text2image.queries.judgements import JudgementRow, append_judgements, read_judgements, take_back_last
from text2image.queries.split import read_split

A, B = "0123456789abcdef", "fedcba9876543210"
CAPTIONS = [
    b"path,text\na.jpg,A red shoe\nb.jpg,\"Two, 'dogs'\"\n",
    f"sep=;\r\nImage_ID;Text;Kind\r\n{A};Größe 38;headline\r\n".encode("utf-8-sig"),
    f"image_id\ttext\n{A}\tein Hund\n{B}\tzwei Hunde\n".encode("utf-16"),
    "path|text\nZürich.jpg|café au lait – 5 €\n".encode("cp1252"),
    'path,text\na.jpg,"first\nsecond"\nb.jpg,third\n'.encode("mac_roman"),
]  # fmt: skip
JUDGEMENTS = [
    f"source,query,image_id,relevance,by,note\nhuman,a red shoe,{A},3,Ann,\nhuman,'=dogs,{B},0,model:m,\"no, none\"\n".encode(),
    f"\ufeffby,note,source,query,image_id,relevance\r\nAnn,,ocr,sale,{A},1\r\n".encode(),
]  # fmt: skip
READERS: dict[str, tuple[Callable[[Path], Any], list[bytes]]] = {
    "queries": (read_queries, [b"q1\ta red shoe\nq2\t'=1+1\n"]),
    "qrels": (read_qrels, [f"q1 0 {A} 1\nq1 0 {B} 0\nq2 0 {A} 3\n".encode()]),
    "run": (read_run, [f"q1 Q0 {A} 1 0.5 builtin\nq1 Q0 {B} 2 0.25 builtin\nq2 Q0 {A} 1 -1e-3 builtin\n".encode()]),
    "fields": (
        read_fields,
        [f'image_id,text,confidence,box\n{A},SALE,0.9,"[[1, 2], [3, 2], [3, 4], [1, 4]]"\n{B},a dog,,\n'.encode()],
    ),
    "searched": (read_searched, [f"row,image_id\n0,{A}\n3,{B}\n".encode()]),
    "views": (read_views, [f"image_id,view\n{A},whole\n{A},tile 1 of 2\n".encode()]),
    "manifest": (
        read_manifest,
        [f"image_id,path,rendering,width,height\n{A},a.jpg,,640,480\n{B},0/b.png,icc,1,2\n".encode(),
         f"image_id,path\n{A},a.jpg\n".encode()],
    ),
    "groups": (read_groups, [f"path,image_id,near_group\na.jpg,{A},1\nb.jpg,{B},1\n".encode()]),
    "clusters": (read_clusters, [b"query_id,cluster\nq1,0\nq2,1\n"]),
    "split": (
        lambda path: read_split(path, {A: 1, B: 2}),
        [f"part,image_id,query_id,text,relevance\ntrain,{A},q1,x,1\ntest,{B},q2,y,2\n".encode()],
    ),
    "ranks": (
        read_ranks,
        [f"query_id,text,image_id,relevance,rank,score\nq1,x,{A},1,2,0.5\nq1,x,{B},0,1,0.75\n".encode()],
    ),
    "suspicion": (read_suspicion, [b"text,suspicion\nx,0.25\n"]),
    "speeds": (read_speeds, [b"name,what,device,per_second,low,high\nm,images,cpu,3.5,3,4\n"]),
    "times": (read_query_times, [b"system,n_images,device,median_ms,high_ms,million_ms\nm,10,cpu,1,2,3e2\n"]),
    "origins": (read_origins, [b'{"sha256:AB12": "resnet", "hub:x": "a model"}']),
    "pin": (read_pin, [b"# written\nurl: memory://images\nfiles: 3\nstate: abc\n"]),
    "table": (lambda path: read_csv(path, ["image_id", "text"]), [f"image_id,text,confidence\n{A},x,0.5\n".encode()]),
    "columns": (lambda path: read_columns(path, ["image_id"]), [f"image_id,text\n{A},\"x\ny\"\n".encode()]),
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed") / "file.csv"


@pytest.fixture(scope="module", autouse=True)
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(tmp_path_factory.mktemp("root")))
        yield


@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_file_between_stages_is_read_or_refused(kind: str, file: Path) -> None:
    read, contents = READERS[kind]
    for content in contents:
        file.write_bytes(content)
        read(file)  # each is valid before it is damaged

    @fuzz(100)
    @given(content=mutated(contents))
    def damaged(content: bytes) -> None:  # a function a kind: hypothesis makes the cases of each anew
        file.write_bytes(content)
        refused(lambda: read(file))

    damaged()


FOUND = [
    ("queries", b"q1 without a tab\n"),
    ("queries", b"q1\t\xff\n"),
    ("qrels", b"q1 0 0123456789abcdef\n"),
    ("qrels", b"q1 0 0123456789abcdef yes\n"),
    ("run", b"q1 Q0 0123456789abcdef 1 0.5\n"),
    ("run", b"q1 Q0 0123456789abcdef 1 best builtin\n"),
    ("fields", b"image_id,text,confidence,box\na,SALE,sure,\n"),
    ("fields", b"image_id,text,confidence,box\na,SALE,0.9,[1]\n"),
    ("fields", b'image_id,text,confidence,box\na,SALE,0.9,"[[""x"", 1]]"\n'),
    ("searched", b"row,image_id\nx,a\n"),
    ("searched", b"row,image_id\n99999999999999999999,a\n"),
    ("manifest", b"image_id,path,rendering,width,height\na,a.jpg,,wide,480\n"),
    ("groups", b"image_id,near_group\na,near_group\n"),
    ("clusters", b"query_id,cluster\nq1,\n"),
    ("split", b"part,image_id,query_id,text,relevance\ntrain,a,q1,x,True\n"),
    ("ranks", b"query_id,text,image_id,relevance,rank,score\nq1,x,a,1,first,0.5\n"),
    ("qrels", b"q1 0 0123456789abcdef 99999999999999999999\n"),
    ("run", b"q1 Q0 0123456789abcdef 1 nan builtin\n"),
    ("run", b"q1 Q0 0123456789abcdef 1 -inf builtin\n"),
    ("run", b"q1 Q0 0123456789abcdef 1 1e999 builtin\n"),
    ("fields", b"image_id,text,confidence,box\na,SALE,nan,\n"),
    ("searched", b"row,image_id\n-1,a\n"),
    ("searched", b"row,image_id\n0,a\n0,b\n"),
    ("ranks", b"query_id,text,image_id,relevance,rank,score\nq1,x,a,1,1,nan\n"),
    ("ranks", b"query_id,text,image_id,relevance,rank,score\nq1,x,a,1,1,\n"),
    ("ranks", b"query_id,text,image_id,relevance,rank,score\nq1,x,a,1,0,0.5\n"),
    ("ranks", b"query_id,text,image_id,relevance,rank,score\nq1,x,a,-1,1,0.5\n"),
    ("suspicion", b"text,suspicion\nx,inf\n"),
    ("speeds", b"name,what,device,per_second,low,high\nm,images,cpu,0,1,2\n"),
    ("times", b"system,n_images,device,median_ms,high_ms,million_ms\nm,10,cpu,nan,1,2\n"),
]
"""What was an exception of Python's once, found by the fuzzer or beside what it found, or a number that none can be compared with."""


@pytest.mark.parametrize(("kind", "content"), FOUND)
def test_what_was_a_traceback_once_is_refused_and_says_where(kind: str, content: bytes, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        READERS[kind][0](file)
    assert str(file) in str(refusal.value)
    assert str(refusal.value).isprintable()


MAY_BE_MISSING = {"suspicion", "speeds", "times"}


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in FOUND} - MAY_BE_MISSING))
def test_a_file_that_is_not_there_is_one_sentence(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"[Nn]o such file"):
        READERS[kind][0](tmp_path / "missing")


@fuzz(200)
@given(content=mutated(CAPTIONS))
def test_damaged_captions_are_read_or_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    captions = refused(lambda: read_captions(file))
    if captions is not None:
        assert captions.rows
        assert all(remark.isprintable() for remark in captions.remarks)


@fuzz(200)
@given(content=mutated(JUDGEMENTS), write=st.booleans())
@example(content=JUDGEMENTS[0].replace(b",3,", b",True,"), write=True)
def test_damaged_judgements_are_read_or_refused_and_what_they_hold_stays(
    content: bytes, write: bool, file: Path
) -> None:
    file.write_bytes(content)
    rows = refused(lambda: read_judgements(file))
    assert rows is None or {row.relevance for row in rows} <= {0, 1, 2, 3}
    if write:
        row = JudgementRow("human", "=a\tred shoe", A, 2, "Bob", "")
        refused(lambda: append_judgements([row], file))
        assert file.read_bytes().startswith(content), "what was there stays"
        if file.read_bytes() != content:
            assert row in read_judgements(file)
    else:
        taken = refused(lambda: take_back_last("human", "Ann", file))
        assert taken or file.read_bytes() == content
