"""Networks are made without random weights, and are complete all the same."""

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.pipeline import tiny_bert_model, tiny_model
from tests.support.tokenizers import card
from text2image.base.console import InputError
from text2image.encoders.models.initialisation import WithoutInitialisation
from text2image.encoders.models.load import load_model
from text2image.encoders.models.local_dir import text_tower_here

MAKERS = {"tiny": tiny_model, "bert": tiny_bert_model}


class Drawn(TorchDispatchMode):
    """Counts what is filled with random numbers in its block."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket in (torch.ops.aten.normal_, torch.ops.aten.uniform_)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", MAKERS)
def test_loading_draws_no_weights_and_fills_all(kind: str, tmp_path: Path) -> None:
    MAKERS[kind](tmp_path / "model")
    described = card(tmp_path / "model", None)
    with Drawn() as drawn:
        network = load_model("tiny", described, "cpu", "fp32").network
    assert drawn.count == 0
    with Drawn() as drawn:
        reference, *_ = open_clip.create_model_and_transforms(
            described["name"], **text_tower_here(tmp_path / "model")
        )
    assert drawn.count > 10, "as open_clip makes it"
    made = reference.state_dict()
    assert network.state_dict().keys() == made.keys()
    assert all(torch.equal(value, made[name]) for name, value in network.state_dict().items())
    assert {name for name, _ in network.named_buffers()} == {name for name, _ in reference.named_buffers()}
    for name, value in network.named_buffers():
        assert torch.equal(value, reference.get_buffer(name)), "what no checkpoint holds is made as ever"


def test_parameters_that_nobody_fills_are_found() -> None:
    with WithoutInitialisation() as parameters:
        network = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 2))
        weights = {name: torch.ones_like(value) for name, value in network.state_dict().items()}
        del weights["2.bias"]
        network.load_state_dict(weights, strict=False)
    with pytest.raises(ValueError, match=r"found none for 1 of them, such as 2\.bias"):
        parameters.require_filled(network)
    with WithoutInitialisation() as parameters:
        network = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
        nn.init.zeros_(network.get_parameter("0.weight"))
        network.get_parameter("0.bias").data.copy_(torch.ones(2))
        nn.init.constant_(network.get_parameter("0.bias"), 3.0)
    parameters.require_filled(network)
    assert network.get_parameter("0.bias").tolist() == [3.0, 3.0]


def test_a_model_whose_weights_were_not_all_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should open_clip ever load a checkpoint less strictly than it does."""
    strict = nn.Module.load_state_dict

    def lenient(module: nn.Module, weights: dict[str, Any], *args: Any, **options: Any) -> Any:
        weights.pop("visual.conv1.weight")
        return strict(module, weights, strict=False)

    tiny_model(tmp_path / "model")
    monkeypatch.setattr(nn.Module, "load_state_dict", lenient)
    with pytest.raises(
        InputError, match=r"weights for all parameters, found none for 1 of them, such as visual\.conv1"
    ):
        load_model("tiny", card(tmp_path / "model", None), "cpu", "fp32")
