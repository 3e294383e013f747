"""Devices and precisions."""

from collections.abc import Iterator

import pytest
import torch

from tests.encoders.test_embedding import runtime
from text2image.base.console import InputError
from text2image.encoders.device import pick_devices, pick_dtype, replicate

CPU = torch.device("cpu")


def test_fp16_needs_an_accelerator() -> None:
    with pytest.raises(InputError, match=r"embed\.precision .*found fp16"):
        pick_dtype("fp16", CPU)
    assert pick_dtype("fp16", torch.device("cuda")) is torch.float16


@pytest.fixture(autouse=True)
def _kernels_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cuda.enable_cudnn_sdp(True)


def on_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)


def test_all_gpus_compute_or_as_many_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpus(monkeypatch, 4)
    how = runtime().model_copy(update={"device": "auto"})
    assert pick_devices(how) == [torch.device("cuda", index) for index in range(4)]
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cuda.cudnn_sdp_enabled(), (
        "torch takes it all the same where it is to warn alone"
    )
    assert pick_devices(how.model_copy(update={"devices": 2})) == [
        torch.device("cuda", 0),
        torch.device("cuda", 1),
    ]
    with pytest.raises(InputError, match=r"at most 4 for runtime\.devices .*found 5"):
        pick_devices(how.model_copy(update={"devices": 5}))
    assert pick_devices(how.model_copy(update={"device": "cpu"})) == [CPU]
    on_gpus(monkeypatch, 0)
    assert pick_devices(how) == [CPU]


def test_every_device_has_the_same_network() -> None:
    network = torch.nn.Linear(3, 2)
    first, second = replicate(network, [CPU, CPU])
    assert first is network
    assert second is not network
    assert torch.equal(second.weight, network.weight)
