"""The leaderboard as a page."""

from text2image.pages.leaderboard import markdown, table

MEANS = dict.fromkeys(("mrr", "hit_rate"), (0.5, 0.25, 0.75))
FIGURES = {f"{n}{e}": str(v) for n, m in MEANS.items() for e, v in zip(("", "_low", "_high"), m, strict=True)}
ROW = {
    "system": "m", "source": "human", "n_queries": "3", "n_images": "1000", "k": "5", "mrr_chance": "0.01",
    "kind": "vision", "parameters": "", "dimension": "", "bytes_per_image": "", "usd_per_1000_queries": "", "image_size": "",
    "resize": "", "views": "", "context_length": "", "circular": "0", "on_front": "1", "device": "cpu",
    "prepare_seconds_per_1000": "12.34", "query_ms": "1234", "query_ms_95": "", "query_ms_million": "", "on_speed_front": "1",
} | FIGURES  # fmt: skip


def cells(page: str, title: str) -> list[list[str]]:
    """Return the cells of the rows of the table under a title."""
    lines = page.split(f"## {title}")[1].split("\n## ")[0].split("\n")
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][2:]


def test_the_tables_line_up() -> None:
    assert table(["a", "speed"], [["x|y", "9"], ["z", "10.5"]]).split("\n") == [
        "| a    | speed |",
        "| ---- | ----: |",
        "| x\\|y |     9 |",
        "| z    |  10.5 |",
    ]


def test_the_page_says_what_is_not_known() -> None:
    page = markdown([ROW], {"m": "mit"}, {"far": "it is far away; go there"})
    assert cells(page, "human") == [["*+", "m", "0.50 [0.25, 0.75]", "0.50 [0.25, 0.75]"]]
    assert cells(page, "What it costs") == [
        ["m", "unknown", "unknown", "12.3", "1,234", *["unknown"] * 4, "mit"]
    ]
    assert cells(page, "What it sees") == [["m", "vision", "–", "–", "–", "–"]]
    assert page.endswith("\n- far: it is far away\n")
    no_interval = ROW | {"mrr_low": "", "mrr_high": "", "hit_rate_low": "", "hit_rate_high": ""}
    assert cells(markdown([no_interval], {"m": "mit"}, {}), "human")[0][2:] == ["0.50", "0.50"]


def test_the_page_says_what_is_known() -> None:
    known = ROW | {
        "parameters": "29532969", "dimension": "384", "bytes_per_image": "1536", "usd_per_1000_queries": "0",
        "image_size": "260", "resize": "crop", "views": "whole", "context_length": "64", "query_ms": "3.21",
        "query_ms_95": "10.04", "query_ms_million": "456.7",
    }  # fmt: skip
    page = markdown([known], {"m": "mit"}, {})
    assert cells(page, "What it costs") == [
        ["m", "29.5 M", "384", "12.3", "3.2 [10.0]", "457", "0", "1.54 MB", "1.54 GB", "mit"]
    ]
    assert cells(page, "What it sees") == [["m", "vision", "260", "crop", "whole", "64"]]
    assert "What it costs on this machine (cpu)" in page
    assert "Not to be had" not in page
    words = known | {"system": "words", "kind": "words", "parameters": "0", "dimension": "0"}
    both = cells(markdown([known, words], {"m": "mit", "words": "–"}, {}), "What it costs")
    assert [row[:3] for row in both] == [["words", "0", "0"], ["m", "29.5 M", "384"]], "the smallest first"
    paid = cells(markdown([known | {"usd_per_1000_queries": "3.456"}], {"m": "mit"}, {}), "What it costs")
    assert paid[0][6] == "3.46"


def test_marks_say_who_is_on_which_front() -> None:
    assert cells(markdown([ROW | {"on_speed_front": "0"}], {"m": "mit"}, {}), "human")[0][0] == "*"
    perfect = ROW | {"system": "self", "mrr": "1.0", "circular": "1", "on_front": "0", "on_speed_front": "0"}
    both = cells(markdown([perfect, ROW], {"m": "mit", "self": "mit"}, {}), "human")
    assert [row[:2] for row in both] == [["*+", "m"], ["", "self (circular)"]], "last, however high its score"


def test_without_measurements_no_machine_is_named() -> None:
    page = markdown([ROW | {"device": "", "prepare_seconds_per_1000": "", "query_ms": ""}], {"m": "mit"}, {})
    assert "## What it costs\n" in page
    assert cells(page, "What it costs")[0][3:5] == ["unknown"] * 2
