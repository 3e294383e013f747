"""Which models are worth their cost: those that no other beats in quality and speed at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def pareto_front(speed: Floats, quality: Floats) -> Flags:
    """Return who is on the Pareto front, where more is better of both.

    One is off the front if some other is at least as good in both and better in one. Of several that
    are equal in both either all are on it or none.

    Args:
        speed: ``(n,)`` float64, finite.
        quality: ``(n,)`` float64, finite.

    Returns:
        ``(n,)`` bool; empty for n = 0.
    """
    on_front = np.zeros(len(speed), dtype=np.bool_)
    best = -np.inf  # quality among the faster ones
    for value in np.unique(speed)[::-1]:
        alike = speed == value
        top = quality[alike].max()
        if top > best:
            on_front |= alike & (quality == top)
            best = top
    return on_front
