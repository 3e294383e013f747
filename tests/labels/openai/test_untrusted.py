"""Texts of a server are not trusted: they stay texts, whatever they hold."""

import csv
import json
from pathlib import Path

from tests.support.chat_server import ChatServer
from tests.support.workplace import Workplace
from text2image.formats.tables import read_csv
from text2image.formats.trec import read_qrels, read_queries, write_qrels
from text2image.labels.protocol.labelling import MAX_TEXT
from text2image.queries.query import make_queries

NASTY = [
    "a\tb\r\nc\x00d\x1b[31m", "</script><script>alert(1)</script>", '=HYPERLINK("http://x","y")', "+1+1",
    "-2+3", "@SUM(A1)", "\u202eevil\u200f", "'=1+1", "lone \ud800 surrogate", "“quotes”, commas; \"and\" 'more'",
    "＝1+1", "long " * 2000, "x" * 10_000,
]  # fmt: skip


def test_untrusted_texts_stay_texts(workplace: Workplace, server: ChatServer) -> None:
    """From the answer through labels, queries and qrels and back: nothing breaks, and nothing runs."""
    workplace.images(len(NASTY))
    left = iter(NASTY)
    server.script.content = lambda image: json.dumps({"caption": "", "queries": [next(left)]})
    workplace.run()
    labels = Path("data/labels/openai.csv")
    with labels.open(newline="") as file:
        raw = list(csv.reader(file))
    assert len(raw) == len(NASTY) + 1
    for _, text, *_ in raw[1:]:
        assert text.isprintable() and 0 < len(text) <= MAX_TEXT + 1
        assert text[0] not in "=+-@\t\r"
    texts = {row["image_id"]: row["text"] for row in read_csv(labels, ["image_id", "text"])}
    assert len(texts) == len(NASTY)
    assert {"a b c d [31m", '=HYPERLINK("http://x","y")', "+1+1", "-2+3", "'=1+1", "evil"} < set(
        texts.values()
    )
    queries = make_queries(texts.items())
    assert {query.text for query in queries} == set(texts.values())
    written = Path("data/queries/openai.tsv")
    assert read_queries(written) == {query.query_id: query.text for query in queries}
    lines = written.read_text().split("\n")
    assert len(lines) == len(queries) + 1
    assert not any(line.split("\t")[1][0] in "=+-@" for line in lines if line)
    write_qrels(Path("q.qrels"), {query.query_id: dict.fromkeys(query.relevant, 1) for query in queries})
    relevant = read_qrels(Path("q.qrels"))
    assert {image: read_queries(written)[query] for query in relevant for image in relevant[query]} == texts
