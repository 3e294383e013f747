"""Small ICC profiles: of an RGB space by its primaries, and of grey, with a gamma each."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

PROPHOTO = np.array([[0.79767, 0.13519, 0.03134], [0.28804, 0.71187, 0.00009], [0.0, 0.0, 0.82491]])
"""From linear ProPhoto RGB to XYZ under D50 (ISO 22028-2)."""

SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
"""From linear sRGB to XYZ under D50 (ICC's adaptation of IEC 61966-2-1)."""

D50 = (0.9642, 1.0, 0.8249)


def rgb_profile(primaries: np.ndarray, gamma: float) -> bytes:
    """Return a matrix profile, ``primaries``: ``(3, 3)`` from linear RGB to XYZ under D50."""
    columns = {f"{channel}XYZ": _xyz(primaries[:, n]) for n, channel in enumerate("rgb")}
    return _profile(b"RGB ", columns | {f"{channel}TRC": _gamma(gamma) for channel in "rgb"})


def grey_profile(gamma: float) -> bytes:
    """Return a profile for grey."""
    return _profile(b"GRAY", {"kTRC": _gamma(gamma)})


def _xyz(values: np.ndarray | tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _profile(space: bytes, tags: Mapping[str, bytes]) -> bytes:
    """Return a version 2 profile (ICC.1:2001-04): a header, a table of tags, and the tags."""
    tags = {"wtpt": _xyz(D50), **tags}
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name.encode() + struct.pack(">II", start + len(data), len(content))
        data += content
    size = start + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", space, b"XYZ ")
    head += (
        struct.pack(">6H4s4sII", 2026, 1, 1, 0, 0, 0, b"acsp", b"none", 0, 0)
        + b"\0" * 16
        + struct.pack(">I", 0)
    )
    illuminant = struct.pack(">3i", *(round(value * 65536) for value in D50))
    return (head + illuminant).ljust(128, b"\0") + table + data
