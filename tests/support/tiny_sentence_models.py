"""Tiny text encoders and cross-encoders with random weights, saved as real ones of sentence-transformers are."""

from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [
    "red",
    "blue",
    "shoe",
    "shoes",
    "hat",
    "summer",
    "winter",
    "sale",
    "two",
    "dogs",
    "cat",
    "the",
    "a",
    "find",
    ":",
    "in",
]
LAYERS = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 64, "initializer_range": 0.5,
}  # fmt: skip


def save_tokenizer(folder: Path) -> int:
    """Write a tokenizer of a few words, and return how many tokens it has."""
    known = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    raw = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(folder)  # fmt: skip
    return len(known)


def save_cross_encoder(folder: Path, *, labels: int = 1, seed: int = 1) -> Path:
    """Write a cross-encoder that gives a pair so many scores."""
    size = save_tokenizer(folder)
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=size, num_labels=labels, **LAYERS)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def save_text_encoder(folder: Path, *, query_prompt: str = "", seed: int = 1) -> Path:
    """Write a text encoder, which puts a prompt before queries."""
    size = save_tokenizer(folder / "bare")
    torch.manual_seed(seed)
    BertModel(BertConfig(vocab_size=size, **LAYERS)).save_pretrained(folder / "bare")
    model = SentenceTransformer(
        str(folder / "bare"), prompts={"query": query_prompt, "document": ""}, local_files_only=True
    )
    model.save(str(folder / "model"))
    return folder / "model"
