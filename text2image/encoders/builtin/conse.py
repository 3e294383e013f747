"""ConSE: an image tower and a text tower joined without training.

Norouzi et al., 2014, "Zero-Shot Learning by Convex Combination of Semantic Embeddings",
https://arxiv.org/abs/1312.5650: an image lies where the texts of its classes lie, weighted by the
probability of each class. What no class names, the features still hold; a ridge regression from
the classifier's own weights (one prototype a class) to the class texts carries it over.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from text2image.base.arrays import Floats, Vectors


def unit(rows: NDArray[np.floating]) -> Floats:
    """Scale every row of ``rows: (n, d)`` to length 1, in float64; a zero row stays zero."""
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1.0)


def mean_by_class(embeddings: Vectors, classes: Sequence[int], n_classes: int) -> Vectors:
    """Average the texts of each class: unit(sum of the unit rows that belong to the class).

    Args:
        embeddings: (n_texts, d) float32, for example one row a synonym.
        classes: the class of each row, 0 ≤ class < ``n_classes``.

    Returns:
        (n_classes, d) float32, unit rows; a class without texts has zeros.
    """
    sums = np.zeros((n_classes, embeddings.shape[1]))
    np.add.at(sums, np.asarray(classes), unit(embeddings))
    return unit(sums).astype(np.float32)


def class_texts(parts: Sequence[Vectors]) -> Vectors:
    """Mix ways to name the same classes, each (n_classes, d) float32, with the same weight.

    Returns:
        (n_classes, d) float32, unit rows: unit(sum over the parts of unit(part)).
    """
    return unit(np.sum([unit(part) for part in parts], axis=0)).astype(np.float32)


def ridge_map(prototypes: Vectors, texts: Vectors, strength: float) -> Vectors:
    """Map image features to texts: W = (XᵀX + λI)⁻¹ XᵀY.

    X holds the classes' prototypes less their mean, with unit rows; Y the class texts less their
    mean, because what all the classes share says nothing about an image.

    Args:
        prototypes: (n_classes, n_features) float32, the classifier's weights.
        texts: (n_classes, d) float32.
        strength: λ > 0; the rows of X have length 1, so that 1 is a moderate value.

    Returns:
        (n_features, d) float32, for features of unit length.
    """
    x = unit(prototypes - prototypes.mean(axis=0, dtype=np.float64))
    y = texts - texts.mean(axis=0, dtype=np.float64)
    # The same matrix as Xᵀ(XXᵀ + λI)⁻¹Y, which is the smaller system: fewer classes than features.
    return (x.T @ np.linalg.solve(x @ x.T + strength * np.eye(len(x)), y)).astype(np.float32)


def head_weight(texts: Vectors, ridge: Vectors, alpha: float) -> Vectors:
    """Return the linear head of [p, f]: image = Σ_c p_c · text_c + α · f W.

    Args:
        texts: (n_classes, d) float32, from :func:`class_texts`.
        ridge: W, (n_features, d) float32, from :func:`ridge_map`.

    Returns:
        (d, n_classes + n_features) float32: the ``weight`` of a ``torch.nn.Linear``.
    """
    return np.ascontiguousarray(np.concatenate([texts, np.float32(alpha) * ridge]).T)
