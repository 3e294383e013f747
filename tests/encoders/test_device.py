"""Devices and precisions."""

import pytest
import torch

from text2image.base.console import InputError
from text2image.encoders.device import pick_dtype

CPU = torch.device("cpu")


def test_fp16_needs_an_accelerator() -> None:
    with pytest.raises(InputError, match=r"embed\.precision .*found fp16"):
        pick_dtype("fp16", CPU)
    assert pick_dtype("fp16", torch.device("cuda")) is torch.float16
