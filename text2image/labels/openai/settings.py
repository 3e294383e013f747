"""The section ``label.openai`` of params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, Field, field_validator, model_validator

from text2image.base.settings import Amount, Count, Section
from text2image.formats.origins import Origins

SERVICE = "https://api.openai.com/v1"


class Settings(Section):
    model: str
    base_url: str | None
    prompt: Annotated[str, Field(min_length=1)]
    queries: Annotated[list[Literal["caption", "queries"]], Field(min_length=1)]
    max_side: Annotated[int, Field(ge=16)]
    detail: Literal["low", "high", "auto"] | None
    max_tokens: Count
    mode: Literal["sync", "batch"]
    retry_failures: bool
    max_images: Count | None
    budget_usd: Amount | None
    price_input_per_million: Amount | None
    price_output_per_million: Amount | None

    @property
    def address(self) -> str:
        """The address of the server, without a final slash."""
        return (self.base_url or SERVICE).rstrip("/")

    def origins(self) -> Origins:
        """Return the service's model, which whatever it says goes back to."""
        server = self.base_url or "OpenAI"
        return {f"service:{server} {self.model}": f"{self.model} of {server}"}

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        url = AnyHttpUrl(value) if value is not None and value.isprintable() else None
        if value is not None and (url is None or url.username or url.password or url.query):
            raise ValueError("expected an address such as http://localhost:11434/v1, without a password")
        return value

    @model_validator(mode="after")
    def _prices(self) -> Self:
        prices = (self.price_input_per_million, self.price_output_per_million)
        if None in prices and (self.budget_usd is not None or prices != (None, None)):
            raise ValueError("expected both prices per million tokens, or neither of them nor a budget_usd")
        return self
