"""Names for the types of the arrays that pass through the package."""

import numpy as np
import numpy.typing as npt

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]  # embeddings, a row an image or text, and their scores
