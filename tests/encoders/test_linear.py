"""Linear layers by oneDNN: the same rows up to rounding, and training as ever."""

import open_clip
import pytest
import torch
from torch import nn

from text2image.encoders import linear
from text2image.encoders.linear import Linear, SelfAttention, is_amd_avx512, use_onednn

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 99, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(autouse=True)
def _as_on_amd(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("torch was built without oneDNN")
    monkeypatch.setattr(linear, "is_amd_avx512", lambda: True)


def tiny() -> nn.Module:
    torch.manual_seed(0)
    return open_clip.CLIP(**TINY).eval()


def test_both_towers_give_the_same_rows_up_to_rounding() -> None:
    plain, network = tiny(), tiny()
    use_onednn(network)
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(Linear) == 8, "two in each block of each tower"
    assert kinds.count(SelfAttention) == 4, "one in each block of each tower, masked in that of texts"
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(3, 3, 32, 32, generator=generator)
    tokens = torch.randint(1, 99, (5, 8), generator=generator)
    with torch.inference_mode():
        torch.testing.assert_close(
            network.encode_image(pixels), plain.encode_image(pixels), rtol=1e-5, atol=1e-5
        )
        torch.testing.assert_close(
            network.encode_text(tokens), plain.encode_text(tokens), rtol=1e-5, atol=1e-5
        )
    assert network.state_dict().keys() == plain.state_dict().keys()


def test_training_and_other_types_go_the_usual_way() -> None:
    plain, network = tiny(), tiny()
    use_onednn(network)
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    for model in (plain, network):
        model.encode_image(pixels).square().sum().backward()
    for (name, expected), found in zip(plain.named_parameters(), network.parameters(), strict=True):
        if expected.grad is not None:
            assert torch.equal(found.grad, expected.grad), name
    with torch.inference_mode():
        halves = [model.bfloat16().encode_image(pixels.bfloat16()) for model in (plain, network)]
    torch.testing.assert_close(*halves, rtol=0.02, atol=0.02)


def test_other_attention_is_left_to_torch() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x, y = torch.rand(2, 2, 3, 8)
    expected = attention(x, y, y), attention(x, x, x)
    use_onednn(nn.Sequential(attention))
    assert type(attention) is SelfAttention
    with torch.inference_mode():
        found = attention(x, y, y), attention(x, x, x)
    torch.testing.assert_close(found, expected)


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "is_amd_avx512", lambda: False)
    network = tiny()
    use_onednn(network)
    assert Linear not in map(type, network.modules())
    assert isinstance(is_amd_avx512(), bool)
