"""Images through a network whose memory is short."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.networks import Small, sums, write_pictures
from text2image.base.console import InputError
from text2image.encoders.images.forward import Replica, forward_images
from text2image.encoders.images.memory import Halving
from text2image.encoders.images.preprocessing import preprocessing

CPU = torch.device("cpu")


def to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.resize((8, 8)))).permute(2, 0, 1) / 255


READY = preprocessing(to_tensor)


def test_out_of_memory_halves_the_batch_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs = write_pictures(tmp_path, 19)
    network = Small(fits=3)
    found = list(forward_images(photographs, READY, [Replica(network, CPU)], batch_size=8, workers=1))
    expected = list(forward_images(photographs, READY, [Replica(sums, CPU)], batch_size=8, workers=1))
    assert [image for batch, _ in found for image in batch] == photographs
    assert torch.equal(torch.cat([rows for _, rows in found]), torch.cat([rows for _, rows in expected]))
    assert network.tried[:2] == [8, 4]
    assert set(network.tried[2:]) == {2}, "the smaller size is kept"
    assert capsys.readouterr().err.count("out of memory") == 2


def test_a_memory_too_small_for_one_image_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"memory .*runtime\.device"):
        Halving(Small(fits=0), 4)(torch.zeros(4, 3, 2, 2))
