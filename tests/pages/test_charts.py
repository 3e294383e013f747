"""The charts that `dvc plots` draws: their templates, and the page that it fills."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline import REPOSITORY
from text2image.base.console import InputError
from text2image.pages import theme
from text2image.pages.charts import files
from text2image.pages.charts.files import TEMPLATES, page, write_plot_files
from text2image.pages.report.rendering.drawing import draw


def test_every_template_is_used_and_none_is_missing() -> None:
    assert set(re.findall(r"template: (\w+)", (REPOSITORY / "dvc.yaml").read_text())) == set(TEMPLATES)


def test_a_model_has_one_colour_in_every_chart() -> None:
    for name, template in TEMPLATES.items():
        spec = template()
        assert spec["config"]["range"]["category"] == list(theme.SYSTEMS)
        for colour in re.findall(r'"color": (\{"field": "system"[^}]*\})', json.dumps(spec)):
            assert "scale" not in colour, name


def leaderboard(*models: tuple[str, Any, float, int], circular: bool = False) -> set[str]:
    """Draw the leaderboard of ``(model, parameters, MRR, on the front)`` and return the texts in it."""
    rows = [
        {
            "rev": "workspace", "system": model, "source": "human", "mrr": mrr, "mrr_low": mrr - 0.1,
            "mrr_high": mrr + 0.1, "mrr_chance": 0.04, "hit_rate": mrr, "parameters": parameters,
            "kind": "vision", "bytes_per_image": 1536, "usd_per_1000_queries": "0", "on_front": front,
            "circular": int(circular),
        }
        for model, parameters, mrr, front in models
    ]  # fmt: skip
    text = json.dumps(TEMPLATES["leaderboard"]())
    for anchor, value in {
        "X": "parameters",
        "Y": "mrr",
        "X_LABEL": "x",
        "Y_LABEL": "y",
        "TITLE": "t",
    }.items():
        text = text.replace(f'"<DVC_METRIC_{anchor}>"', json.dumps(value))
    svg = draw(json.loads(text.replace('"<DVC_METRIC_DATA>"', json.dumps(rows))), "leaderboard")
    return set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def test_the_leaderboards_axis_is_in_millions_and_fits_one_model_as_well_as_many() -> None:
    one = leaderboard(("a", 29_532_969, 0.4, 1))
    assert {"20", "50", "a"} <= one
    assert "a (circular)" in leaderboard(("a", 29_532_969, 0.4, 0), circular=True)
    assert not {"5", "10", "100", "200"} & one, "half to twice its size"
    many = leaderboard(("a", 29_532_969, 0.4, 1), ("b", 400_000_000, 0.5, 1), ("unknown", "", 0.5, 0))
    assert {"20", "50", "100", "200", "500"} <= many
    assert not {"0", "1", "2", "1,000"} & many, "a model of unknown size is left out, not drawn at nothing"
    words = leaderboard(("words", 0, 0.4, 1), ("a", 29_532_969, 0.5, 1))
    assert {"0", "1", "50", "words"} <= words, "a system without a model is drawn at nothing"
    assert {"0", "1"} <= leaderboard(("words", 0, 0.4, 1))


def test_the_weights_of_a_fusion_are_drawn_with_the_choice_and_those_of_the_folds() -> None:
    rows = [
        {
            "rev": "workspace", "system": system, "source": "human", "part": part, "weight": f"{step / 4}",
            "mrr": "0.5", "chosen": int(step == 2), "n_folds": {2: 4, 3: 1}.get(step, 0), "circular": circular,
        }
        for system, part, circular in (("both", "words", 0), ("both", "builtin", 0), ("leaky", "ocr", 1))
        for step in range(5)
    ]  # fmt: skip
    text = json.dumps(TEMPLATES["fusion_weights"]())
    for anchor, value in {"X": "weight", "Y": "mrr", "X_LABEL": "x", "Y_LABEL": "y", "TITLE": "t"}.items():
        text = text.replace(f'"<DVC_METRIC_{anchor}>"', json.dumps(value))
    svg = draw(json.loads(text.replace('"<DVC_METRIC_DATA>"', json.dumps(rows))), "fusion_weights")
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert {"both", "leaky (circular)", "words", "builtin", "ocr"} <= texts
    assert len(re.findall(r'aria-roledescription="point"', svg)) == 3 * (2 + 1), (
        "two weights of folds, one chosen"
    )
    assert len(re.findall(r'aria-roledescription="line mark"', svg)) == 3, "one line a part"


@pytest.mark.parametrize(
    ("template", "x", "y", "row", "marks"),
    [
        ("intervals", "measure", "value", {"measure": "mrr", "value": "0.5"}, 2),
        ("hit_rate", "k", "hit_rate", {"series": "m · s", "k": "5", "hit_rate": "0.5"}, 1),
    ],
)
def test_a_measure_without_an_interval_is_drawn_without_one(
    template: str, x: str, y: str, row: dict[str, str], marks: int
) -> None:
    """Empty cells of a table: a point at the measure, and no bar or band from 0."""
    base = {"rev": "workspace", "system": "m", "source": "s", "chance": "0.1"} | row
    drawn = []
    for low, high in (("0.25", "0.75"), ("", "")):
        text = json.dumps(TEMPLATES[template]())
        for anchor, value in {"X": x, "Y": y, "X_LABEL": "x", "Y_LABEL": "y", "TITLE": "t"}.items():
            text = text.replace(f'"<DVC_METRIC_{anchor}>"', json.dumps(value))
        rows = [
            base | {"low": low, "high": high},
            base | {"k": "10", "measure": "hit_rate@5", "low": low, "high": high},
        ]
        svg = draw(json.loads(text.replace('"<DVC_METRIC_DATA>"', json.dumps(rows))), template)
        drawn.append(len(re.findall(r'aria-roledescription="(?:rule|area) mark"[^>]* (?:d="M|y2=)', svg)))
        assert len(re.findall(r'aria-roledescription="point"', svg)) == 2
    assert drawn == [marks, 0]


@pytest.mark.slow
def test_all_is_written_into_dvcs_folder_and_ones_own_page_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".dvc"
    with pytest.raises(InputError, match="run from the repository root"):
        write_plot_files(folder)
    folder.mkdir()
    write_plot_files(folder)
    assert {path.stem for path in (folder / "plots").iterdir()} == set(TEMPLATES)
    assert json.loads((folder / "plots" / "words.json").read_text()) == TEMPLATES["words"]()
    assert "vegaEmbed" in (folder / files.PAGE).read_text()
    local = folder / "config.local"
    assert local.read_text().split() == ["[plots]", "html_template", "=", files.PAGE]
    local.write_text("[plots]\n    html_template = mine.html\n")
    (folder / "plots" / "mine.json").write_text("{}")
    write_plot_files(folder)
    assert "mine.html" in local.read_text()
    assert "left as it is" in capsys.readouterr().err
    assert (folder / "plots" / "mine.json").exists()
    local.write_text("[what]\n    is = this\n")
    with pytest.raises(InputError, match=r"expected a configuration of DVC in .*\.dvc, found: "):
        write_plot_files(folder)


def test_the_page_is_one_file_that_dvc_can_fill() -> None:
    text = page('x = "</script><!--<SCRIPT>";')
    assert '"\\x3c/script>\\x3c!--\\x3cSCRIPT>"' in text
    assert text.count("{plot_divs}") == text.count("{refresh_tag}") == 1
    assert "{scripts}" not in text, "DVC would put a CDN's scripts there"
    assert not re.search(r'(src|href)\s*=\s*"', text)
