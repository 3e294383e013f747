"""Default settings as they were when answers were first stored: what was paid for then is not paid for again."""

from typing import Any

OPENAI_SETTINGS: dict[str, Any] = {
    "model": "gpt-5.4-mini",
    "base_url": None,
    "prompt": (
        "Look at this picture, most likely an advertisement.\n"
        "Write a caption of one short sentence that says what it shows and what it is for.\n"
        "Write two or three different search queries, in the language of the words on the picture\n"
        "and as a customer would type them to find it: two to six words, no brand unless it is readable.\n"
    ),
    "queries": ["queries"],
    "max_side": 512,
    "detail": "low",
    "max_tokens": 500,
    "mode": "sync",
    "retry_failures": False,
    "max_images": None,
    "budget_usd": None,
    "price_input_per_million": 0.75,
    "price_output_per_million": 4.5,
}
JUDGE_PROMPT = (
    "You judge the results of an image search. Grade how well this picture answers the search query\nat the end:\n"
    "3: it shows exactly what was asked for, every part of the query included\n"
    "2: it is relevant: the main thing asked for is there, a detail is missing or different\n"
    "1: marginally relevant: related to the query, but somebody who searches for it would go on looking\n"
    "0: not relevant\n"
    "Judge only what can be seen or read in the picture. If in doubt, give the lower grade.\n"
    "Give the reason in at most fifteen words.\n"
)
