"""The leaderboard as a page."""

from text2image.pages.leaderboard import markdown, table


def test_the_tables_line_up() -> None:
    assert table(["a", "speed"], [["x|y", "9"], ["z", "10.5"]]).split("\n") == [
        "| a    | speed |",
        "| ---- | ----: |",
        "| x\\|y |     9 |",
        "| z    |  10.5 |",
    ]


def test_the_page_says_what_is_not_known() -> None:
    means = dict.fromkeys(("mrr", "hit_rate"), (0.5, 0.25, 0.75))
    figures = {
        f"{n}{e}": str(v) for n, m in means.items() for e, v in zip(("", "_low", "_high"), m, strict=True)
    }
    row = {
        "system": "m", "source": "human", "n_queries": "3", "n_images": "1000", "k": "5", "mrr_chance": "0.01",
        "parameters": "", "dimension": "", "circular": "0", "on_front": "1", "device": "cpu", "images_per_second": "12.34",
        "queries_per_second": "1234", "on_speed_front": "1", **figures,
    }  # fmt: skip
    page = markdown([row], {"m": "mit"}, {"far": "it is far away; go there"})
    assert "0.50 [0.25, 0.75] | 0.50 [0.25, 0.75]" in page
    no_interval = row | {"mrr_low": "", "mrr_high": "", "hit_rate_low": "", "hit_rate_high": ""}
    assert [cell.strip() for cell in markdown([no_interval], {"m": "mit"}, {}).split("\n| *+")[1].split("|")[2:4]] == [
        "0.50", "0.50",
    ]  # fmt: skip
    assert [cell.strip() for cell in page.split("\n| m ")[-1].split("|")[1:8]] == [
        "unknown", "unknown", "12.3", "1,234", "unknown", "unknown", "mit",
    ]  # fmt: skip
    assert page.endswith("\n- far: it is far away\n")
    known = markdown([row | {"parameters": "29532969", "dimension": "384"}], {"m": "mit"}, {})
    assert [cell.strip() for cell in known.split("\n| m ")[-1].split("|")[1:7]] == [
        "29.5 M", "384", "12.3", "1,234", "1.54 MB", "1.5 GB",
    ]  # fmt: skip
    assert "What it costs on this machine (cpu)" in known
    assert "Not to be had" not in known
    assert "\n| *+  | m " in page, "on both fronts"
    assert "\n| *   | m " in markdown([row | {"on_speed_front": "0"}], {"m": "mit"}, {})
    perfect = row | {"system": "self", "mrr": "1.0", "circular": "1", "on_front": "0", "on_speed_front": "0"}
    both = markdown([perfect, row], {"m": "mit", "self": "mit"}, {})
    assert both.index("| m  ") < both.index("| self (circular) "), "last, however high its score"
    unmeasured = markdown(
        [row | {"device": "", "images_per_second": "", "queries_per_second": ""}], {"m": "mit"}, {}
    )
    assert [cell.strip() for cell in unmeasured.split("\n| m ")[-1].split("|")[3:5]] == ["unknown"] * 2
    assert "## What it costs\n" in unmeasured
