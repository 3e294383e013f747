"""Make a network without the random weights that a checkpoint takes the place of, which take seconds of a large one."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

INITIALISE = {
    "normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_",
    "erfinv_", "mul_", "add_", "clamp_",
}  # fmt: skip
"""What draws random numbers, and what makes truncated normal ones of them; in place, of parameters."""


FILL = {"copy_", "constant_", "fill_", "zero_"}
"""What gives a parameter its values."""


class WithoutInitialisation(TorchFunctionMode):
    """In its block, parameters are not filled with random numbers: whoever makes a network fills it from a checkpoint.

    Parameters with few or constant numbers, and all that is no parameter, are as ever. After the block,
    :meth:`require_filled` says whether every parameter that was left as it came was filled.
    """

    def __init__(self) -> None:
        super().__init__()
        self._unfilled: dict[int, nn.Parameter] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        target = args[0] if args else named.get("tensor")
        if isinstance(target, nn.Parameter):
            name = getattr(func, "__name__", "")
            if name in INITIALISE:
                self._unfilled[id(target)] = target
                return target
            if name in FILL:
                self._unfilled.pop(id(target), None)
        return func(*args, **named)

    def require_filled(self, network: nn.Module) -> None:
        """Return if all parameters of ``network`` have values.

        Raises:
            ValueError: some have none.
        """
        missing = [name for name, parameter in network.named_parameters() if id(parameter) in self._unfilled]
        self._unfilled.clear()
        if missing:
            raise ValueError(
                f"expected weights for all parameters, found none for {len(missing)} of them, such as {missing[0]}"
            )
