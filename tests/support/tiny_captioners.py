"""Tiny image-to-text models with random weights, saved as real ones are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    GPT2Config,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)

from text2image.labels.caption.source import Settings
from text2image.labels.protocol.source import ImageAnswer

SIDE, PATCH = 16, 8
SPECIAL = [
    "<end>", "<pad>", "<image>", "<|image_pad|>",
    "<|video_pad|>", "<|vision_start|>", "<|vision_end|>",
]  # fmt: skip
WORDS = [
    "a", "an", "the", "red", "blue", "dog", "cat", "shoe",
    "on", "in", "of", "Describe", "Name", "this", "image", "one",
]  # fmt: skip
IMAGE, IMAGE_PAD, VIDEO_PAD, VISION_START, VISION_END = range(2, 7)
CHAT = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS, "<unk>"])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<end>",
        bos_token="<end>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=SPECIAL[2:],
        model_input_names=["input_ids", "attention_mask"],
    )


def save_encoder_decoder(folder: Path) -> None:
    tokenizer = tiny_tokenizer()
    torch.manual_seed(1)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=SIDE,
            patch_size=PATCH,
            initializer_range=1.0,
        ),
        GPT2Config(
            n_embd=16, n_layer=1, n_head=2, vocab_size=len(tokenizer), n_positions=64, initializer_range=1.0
        ),
    )
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 0, 0, 1
    network = VisionEncoderDecoderModel(config)
    network.generation_config.update(decoder_start_token_id=0, eos_token_id=0, pad_token_id=1)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def save_llava(folder: Path) -> None:
    tokenizer = tiny_tokenizer()
    torch.manual_seed(2)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=SIDE,
            patch_size=PATCH,
            projection_dim=16,
            initializer_range=1.0,
        ),
        text_config=LlamaConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            intermediate_size=16,
            vocab_size=len(tokenizer),
            max_position_embeddings=128,
            initializer_range=0.7,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=1,
        ),
        image_token_id=IMAGE,
        image_seq_length=(SIDE // PATCH) ** 2,
    )
    network = LlavaForConditionalGeneration(config)
    # What chat models come with: sampling, which must not be used.
    network.generation_config.update(
        eos_token_id=[0], pad_token_id=1, bos_token_id=0, do_sample=True, temperature=5.0
    )
    network.save_pretrained(folder)
    LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT.replace("IMAGE", "<image>"),
    ).save_pretrained(folder)


def save_qwen2_vl(folder: Path) -> None:
    """A model that gives larger images more tokens, so that prompts differ in length."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(3)
    config = Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "initializer_range": 0.5,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
            "bos_token_id": 0,
            "eos_token_id": 0,
            "pad_token_id": 1,
        },
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "patch_size": PATCH,
            "mlp_ratio": 1,
            "initializer_range": 0.5,
        },
        image_token_id=IMAGE_PAD,
        video_token_id=VIDEO_PAD,
        vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END,
    )
    network = Qwen2VLForConditionalGeneration(config)
    network.generation_config.update(eos_token_id=[0], pad_token_id=1, bos_token_id=0)
    network.save_pretrained(folder)
    scaling = {"patch_size": PATCH, "min_pixels": 16 * 16, "max_pixels": 64 * 64}
    Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(**scaling),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**scaling),
        chat_template=CHAT.replace("IMAGE", "<|vision_start|> <|image_pad|> <|vision_end|>"),
    ).save_pretrained(folder)


SAVERS = {"encoder-decoder": save_encoder_decoder, "llava": save_llava, "qwen2-vl": save_qwen2_vl}

Describe = Callable[..., list[ImageAnswer]]
"""Captions images by settings: ``describe(images, settings, batch_size=None)``."""


def settings(model: Path | str, **changed: Any) -> Settings:
    defaults = {
        "revision": None,
        "prompt": "Describe this image",
        "num_beams": 2,
        "max_new_tokens": 6,
        "max_side": 1024,
        "trust_remote_code": False,
    }
    return Settings(model=str(model), **{**defaults, **changed})
