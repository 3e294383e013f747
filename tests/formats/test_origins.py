"""What two sides have in common, and what is not taken for it."""

from text2image.formats.origins import circular_pairs, text_origins, weight_origins


def test_only_weights_are_origins() -> None:
    """A tokenizer or a configuration is the same in unlike models."""
    files = {
        "model.safetensors": "a",
        "tokenizer.json": "b",
        "config.json": "c",
        "encoder.onnx": "d",
        "x.txt": "e",
    }
    assert weight_origins(files, "all").keys() == {"sha256:a", "sha256:d"}


def test_a_pair_is_circular_where_two_sets_meet() -> None:
    models = {
        "clip": weight_origins({"clip.bin": "a"}, "clip"),
        "tuned": weight_origins({"new.bin": "b", "clip.bin": "a"}, "tuned"),
    }
    sources = {
        "human": text_origins("human"),
        "imagenet": text_origins("imagenet") | weight_origins({"net.pth": "a"}, "resnet"),
        "ocr": text_origins("ocr") | weight_origins({"ocr.onnx": "c"}, "rapidocr"),
    }
    assert circular_pairs(models, sources) == dict.fromkeys(
        [("clip", "imagenet"), ("tuned", "imagenet")], "labels and model share resnet"
    ), "what a name says does not matter"


def test_a_system_that_reads_the_texts_of_a_source_is_circular_with_it() -> None:
    """Whoever wrote them: people, too."""
    sources = {source: text_origins(source) for source in ("human", "ocr")}
    systems = {"words": text_origins("ocr"), "captions": text_origins("human"), "clip": {}}
    assert circular_pairs(systems, sources) == {
        ("words", "ocr"): "labels and model share the texts of ocr",
        ("captions", "human"): "labels and model share the texts of human",
    }
