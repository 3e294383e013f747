"""The batch size: fast, and never at the price of other bits."""

import json
import time
from pathlib import Path

import pytest
import torch

from tests.support.networks import Small, sums
from text2image.encoders.batches import ACCELERATOR_REFERENCE, CPU_REFERENCE, FILE, Probe, pick_batch_size

CPU = torch.device("cpu")


def probe(network: object) -> Probe:
    return Probe(network, torch.zeros(3, 4, 4), CPU, 2)  # type: ignore[arg-type]


def refuse(pixels: torch.Tensor) -> torch.Tensor:
    raise AssertionError("computed again")


def test_a_batch_size_is_used_if_it_gives_the_same_bits(capsys: pytest.CaptureFixture[str]) -> None:
    def rounding(pixels: torch.Tensor) -> torch.Tensor:
        return sums(pixels) * (1 + 1e-6 * (len(pixels) < 4))

    assert pick_batch_size(probe(rounding), "k", 10, wanted=4) == 4
    assert capsys.readouterr().err == ""
    assert pick_batch_size(probe(rounding), "k", 10, wanted=3) == CPU_REFERENCE
    assert "runtime.batch_size 3 would change the last bits" in capsys.readouterr().err
    assert pick_batch_size(probe(refuse), "k", 10, wanted=4) == 4
    assert pick_batch_size(probe(refuse), "k", 10, wanted=3) == CPU_REFERENCE


def test_the_fastest_size_with_the_same_bits_is_looked_for_when_it_pays_and_remembered(
    tmp_path: Path,
) -> None:
    tried = []

    def slow(pixels: torch.Tensor) -> torch.Tensor:
        """Take the same time for any batch; from 32 on, round differently."""
        tried.append(len(pixels))
        time.sleep(0.02)
        return sums(pixels) * (1 + 1e-6 * (len(pixels) >= 32))

    assert pick_batch_size(probe(slow), "k", 100, wanted=None) == CPU_REFERENCE
    assert set(tried) == {CPU_REFERENCE}, "too few images to look for more"
    assert pick_batch_size(probe(slow), "k", 10**6, wanted=None) == 16
    assert 32 in tried
    assert pick_batch_size(probe(refuse), "k", 10**6, wanted=None) == 16
    assert pick_batch_size(probe(refuse), "k", 100, wanted=None) == 16
    (tmp_path / ".cache" / FILE).write_text("{damaged")
    assert pick_batch_size(probe(slow), "k", 100, wanted=None) == CPU_REFERENCE


@pytest.mark.parametrize(
    "nonsense", [-8, 7, 10**9, True, 8.0, "8", None, [8], {"8": 8}, float("nan")], ids=repr
)
def test_a_remembered_size_that_was_never_found_is_measured_again(tmp_path: Path, nonsense: object) -> None:
    assert pick_batch_size(probe(sums), "k", 10**6, wanted=4) == 4
    file = tmp_path / ".cache" / FILE
    known = json.loads(file.read_text())
    assert len(known) == 2
    file.write_text(json.dumps(dict.fromkeys(known, nonsense)))
    assert pick_batch_size(probe(sums), "k", 10**6, wanted=4) == 4
    assert json.loads(file.read_text()) == known


@pytest.mark.parametrize("content", ["[" * 100_000, '"text"', "[1, 2]", "\ufeff{}", "", None], ids=str)
def test_a_file_of_sizes_that_is_none_is_ignored(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ".cache" / FILE
    file.parent.mkdir(exist_ok=True)
    if content is None:
        file.mkdir()
    else:
        file.write_text(content)
    assert pick_batch_size(probe(sums), "k", 10, wanted=4) == 4
    assert ("is not remembered" in capsys.readouterr().err) == (content is None)


def test_a_network_whose_rows_depend_on_their_place_takes_one_image_at_a_time() -> None:
    def placed(pixels: torch.Tensor) -> torch.Tensor:
        return sums(pixels) * (1 + 1e-6 * torch.arange(len(pixels)).view(-1, 1))

    assert pick_batch_size(probe(placed), "k", 10, wanted=None) == 1


def test_a_probe_finds_the_largest_reference_that_fits() -> None:
    assert pick_batch_size(probe(Small(fits=5)), "k", 10, wanted=None) == 4
    assert pick_batch_size(probe(Small(fits=5)), "other", 10, wanted=16) == 4


def test_an_accelerator_that_does_not_give_the_same_bits_every_time_is_said_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = 0

    def unsteady(pixels: torch.Tensor) -> torch.Tensor:
        """Round one row in a thousand differently, as a kernel does that adds up in the order of arrival."""
        nonlocal calls
        calls += 1
        return sums(pixels) * (1 + 1e-6 * (calls == 9) * (torch.arange(len(pixels)) == 5).view(-1, 1))

    on_accelerator = probe(sums)
    on_accelerator.accelerated = True
    pick_batch_size(on_accelerator, "steady", 10, wanted=None)
    assert capsys.readouterr().err == ""
    on_accelerator = probe(unsteady)
    on_accelerator.accelerated = True
    for _ in range(2):  # the second time, it is remembered
        assert pick_batch_size(on_accelerator, "unsteady", 10, wanted=None) == ACCELERATOR_REFERENCE
        assert "may differ from run to run" in capsys.readouterr().err
