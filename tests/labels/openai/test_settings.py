"""The section ``label.openai`` of params.yaml."""

from typing import Any

import pytest

from tests.support.workplace import Workplace
from text2image.base.console import InputError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "http://user:secret@host/v1"}, "label.openai.base_url: .*without a password"),
        ({"base_url": "localhost"}, r"label\.openai\.base_url"),
        ({"queries": []}, r"label\.openai\.queries"),
        ({"queries": ["titles"]}, r"label\.openai\.queries"),
        ({"budget_usd": 1.0, "price_input_per_million": None}, "expected both prices"),
        ({"mode": "later"}, r"label\.openai\.mode"),
    ],
)
def test_wrong_settings_are_one_sentence(workplace: Workplace, changes: dict[str, Any], message: str) -> None:
    workplace.images(1)
    workplace.set(**changes)
    with pytest.raises(InputError, match=message) as caught:
        workplace.run()
    assert "\n" not in str(caught.value)
