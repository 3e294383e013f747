"""The size of a model, and whether there is memory for it."""

from pathlib import Path

import open_clip
import pytest
import torch

from tests.support.pipeline import tiny_model
from text2image.base.console import InputError
from text2image.encoders.models.load import copies_of_weights
from text2image.encoders.models.size import Size, free_memory, measure_size, require_memory
from text2image.encoders.settings import Model

CPU = torch.device("cpu")


@pytest.mark.slow
def test_the_size_is_that_of_the_loaded_network(tmp_path: Path) -> None:
    tiny_model(tmp_path / "tiny")
    for name, side in (("RN50", 224), (f"local-dir:{tmp_path / 'tiny'}", 32)):
        network = open_clip.create_model(name).eval()
        size = measure_size(Model(name=name, pretrained=None, context_length=None))
        assert size is not None
        tensors = [*network.parameters(), *network.buffers()]
        assert size.parameters == sum(parameter.numel() for parameter in network.parameters())
        assert size.weight_bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        pixels = torch.zeros(1, 3, side, side)
        with torch.inference_mode():
            assert size.dimension == network.encode_image(pixels).shape[1]
        assert size.image_bytes > pixels.numel() * 4


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded() -> None:
    size = Size(parameters=10, dimension=1, weight_bytes=free_memory() // 2, image_bytes=1)._asdict()
    require_memory("half", size, CPU, copies=copies_of_weights(["a.safetensors"]))
    with pytest.raises(InputError, match=r"model 'half' needs about [\d,.]+ GB of memory .* are free"):
        require_memory("half", size, CPU, copies=3)
    assert copies_of_weights(["config.json", "open_clip_pytorch_model.bin"]) == 2
    with pytest.raises(InputError, match="needs about 10,000,000"):
        require_memory("large", {"weight_bytes": 10**16}, CPU, copies=1)


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    for limit, expected in (("max", None), (str(3 * 10**8), 2 * 10**8 + 10**7), (str(10**7), 0)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{10**8}\n")
        (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {10**7}\n")
        found = free_memory(tmp_path)
        assert found > 3 * 10**8 if expected is None else found == expected
    assert free_memory(tmp_path / "none") > 3 * 10**8
