"""How many images a second are captioned: ``python -m benchmarks.caption [FOLDER]``.

The captioner has the size of the default, ViT-B/16 with GPT-2 (239 million parameters in float16 on a GPU), and random
weights, so that nothing is downloaded and every text is as long as ``label.caption.max_new_tokens`` allows. The label source is
measured with batches of several sizes beside the model alone, which is given one prepared batch again and again, and beside
a plain loop that opens, prepares, captions and spells out one batch after the other, as transformers' examples do.
Without a GPU a few images get a few words, one image at a time: what counts there is that the ratio is near 1.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    GPT2Config,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)
from transformers.utils import logging

from benchmarks.ocr import usable
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.encoders.device import pick_devices
from text2image.labels.caption.batches import caption_images, scaled
from text2image.labels.caption.captioner import Captioner, load
from text2image.labels.caption.source import Settings
from text2image.params import load_params

END = "<|endoftext|>"
GPU_SIZES = (16, 32, 64, 128)
GPU_IMAGES, CPU_IMAGES = 1024, 8


def save(folder: Path, dtype: torch.dtype) -> None:
    """Save a captioner of the default's size, whose end never is the most probable word."""
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(), GPT2Config())
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 0, 0, 0
    words = {END: 0} | {f"w{number}": number for number in range(1, config.decoder.vocab_size)}
    raw = Tokenizer(models.WordLevel(words, unk_token=END))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), END)
    torch.manual_seed(0)
    network = VisionEncoderDecoderModel(config).to(dtype)
    network.generation_config.update(decoder_start_token_id=0, eos_token_id=0, pad_token_id=0)
    network.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=raw, **special).save_pretrained(folder)
    ViTImageProcessor().save_pretrained(folder)


def plain_loop(model: Captioner, images: Sequence[ImageFile], size: int, device: Any, side: int) -> None:
    """Caption images batch after batch."""
    for first in range(0, len(images), size):
        pictures = [scaled(open_image(image), side) for image in images[first : first + size]]
        features = model.prepare(pictures).to(device, dtype=model.network.dtype)
        model.spell([tokens for tokens, _ in model.generate(features, model.network)])


def alone(model: Captioner, image: ImageFile, size: int, device: Any, batches: int) -> float:
    """Return how many images a second the model captions that are there already."""
    features = model.prepare([open_image(image)] * size).to(device, dtype=model.network.dtype)
    model.generate(features, model.network)  # warms up
    start = time.perf_counter()
    for _ in range(batches):
        model.generate(features, model.network)
    return batches * size / (time.perf_counter() - start)


def measure(model: Captioner, images: Sequence[ImageFile], size: int) -> None:
    """Print one line for a batch size."""
    params = load_params()
    runtime = params.runtime.model_copy(update={"batch_size": size, "devices": 1})
    (device,) = pick_devices(runtime)
    side = params.label.caption.max_side
    ask = caption_images(model, [device], side, runtime)
    bound = alone(model, images[0], size, device, max(1, min(8, len(images) // size)))
    start = time.perf_counter()
    plain_loop(model, images, size, device, side)
    plain = len(images) / (time.perf_counter() - start)
    start = time.perf_counter()
    for _ in ask(images):
        pass
    ours = len(images) / (time.perf_counter() - start)
    print(
        f"{device}, batches of {size}: label source {ours:.2f} images/s, plain loop {plain:.2f}, model alone {bound:.2f} "
        f"(source / model {ours / bound:.2f})",
        flush=True,
    )


def main(arguments: Iterable[str]) -> None:
    paths = usable(Path(next(iter(arguments), "data/sample")))
    images = [ImageFile(hashlib.sha256(path.read_bytes()).hexdigest()[:16], path) for path in paths]
    caption = load_params().label.caption
    on_gpu = torch.cuda.is_available()
    shorter = {} if on_gpu else {"num_beams": 1, "max_new_tokens": 8}
    settings = Settings(**{**caption.model_dump(), "prompt": None, "revision": None, **shorter})
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), torch.float16 if on_gpu else torch.float32)
        model = load(settings.model_copy(update={"model": folder}))
    if on_gpu:
        print(torch.cuda.get_device_name())
    count = GPU_IMAGES if on_gpu else CPU_IMAGES
    many = (images * (count // len(images) + 1))[:count]
    for size in GPU_SIZES if on_gpu else (1,):
        measure(model, many, size)


if __name__ == "__main__":
    main(sys.argv[1:])
