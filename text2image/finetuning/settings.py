"""How params.yaml describes a fine-tuning run: an entry of ``finetune.runs``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from text2image.base.settings import Amount, Count, Part, Positive, Section, Share


class FinetuneRun(Section):
    base: str
    sources: Annotated[list[str], Field(min_length=1)]
    train: Literal["head", "last_blocks", "lora", "all"]
    blocks: Count
    rank: Count
    alpha: Positive
    loss: Literal["contrastive", "sigmoid"]
    temperature: Positive | None
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    epochs: Count
    patience: Count
    batch: Annotated[int, Field(ge=2)]
    optimiser: Literal["sgd", "adam"]
    learning_rate: Positive
    warm_up: Share
    weight_decay: Amount
    validation: Part
    test: Part
    seed: int

    @model_validator(mode="after")
    def _some_to_train_on(self) -> Self:
        if self.validation + self.test >= 1.0:
            raise ValueError("expected validation and test to leave a share to train on")
        return self
