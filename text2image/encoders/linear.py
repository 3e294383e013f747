"""Linear layers in float32 by oneDNN, where the library that torch takes for them is slow.

torch multiplies float32 matrices by MKL, which keeps to half the vectors of an AMD processor with AVX-512; oneDNN,
which torch brings as well and takes for bfloat16, uses them whole: twice the speed. Results differ by rounding,
as between processors. Only forward passes in inference mode are affected.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

CPUINFO = Path("/proc/cpuinfo")


@cache
def is_amd_avx512() -> bool:
    """Say whether this is an AMD processor with AVX-512 and torch has oneDNN."""
    return (
        torch.backends.cpu.get_cpu_capability() == "AVX512"
        and CPUINFO.is_file()
        and "AuthenticAMD" in CPUINFO.read_text(encoding="utf-8")
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def use_onednn(network: nn.Module) -> None:
    """Let the linear layers and the self-attention of ``network`` be computed by oneDNN, where that is faster."""
    if is_amd_avx512():
        for module in network.modules():
            if type(module) is nn.Linear:
                module.__class__ = Linear
            elif type(module) is nn.MultiheadAttention:
                module.__class__ = SelfAttention


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return ``x @ weight.T + bias``."""
    if torch.is_inference_mode_enabled() and x.dtype == torch.float32 and x.device.type == "cpu":
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return functional.linear(x, weight, bias)


class Linear(nn.Linear):
    """``nn.Linear`` by oneDNN."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self.weight, self.bias)


class SelfAttention(nn.MultiheadAttention):
    """``nn.MultiheadAttention`` by oneDNN, for the case that a transformer's block has."""

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any,
        need_weights: bool = True, attn_mask: torch.Tensor | None = None, **others: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:  # fmt: skip
        simple = (
            torch.is_inference_mode_enabled() and query is key and key is value and query.ndim == 3
            and self.batch_first and self.in_proj_weight is not None and self.bias_k is None
            and not (rest or others or need_weights or self.add_zero_attn)
        )  # fmt: skip
        if not simple:
            options = {"need_weights": need_weights, "attn_mask": attn_mask, **others}
            rows: tuple[torch.Tensor, torch.Tensor | None] = super().forward(
                query, key, value, *rest, **options
            )
            return rows
        batch, length, width = query.shape
        heads = (batch, length, 3, self.num_heads, width // self.num_heads)
        projected = linear(query, self.in_proj_weight, self.in_proj_bias).view(heads)
        q, k, v = projected.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        joined = mixed.transpose(1, 2).reshape(batch, length, width)
        return linear(joined, self.out_proj.weight, self.out_proj.bias), None
