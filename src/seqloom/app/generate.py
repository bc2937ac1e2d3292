"""`seqloom generate`: text written by a saved language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import SettingError
from . import options as o

__all__ = ["generate"]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder or model folder.", show_default=False)]
Prompt = Annotated[str, typer.Option(metavar="TEXT", help="What the text goes on from.")]
Length = Annotated[int, typer.Option(metavar="N", help="Words or characters to write.")]
Temperature = Annotated[
    float, typer.Option(metavar="F", help="Sampling temperature: below 1 safer, above 1 bolder; 0 is greedy.")
]
TopK = Annotated[
    int | None, typer.Option(metavar="K", help="Top-k sampling: only the K most likely tokens.", show_default="all")
]
TopP = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        help="Top-p (nucleus) sampling: only the most likely tokens that reach P together.",
        show_default="all",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Same seed, same text.")]


def generate(
    run: Run,
    prompt: Prompt = "",
    length: Length = 100,
    temperature: Temperature = 0.8,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = 0,
    json: o.Json = False,
) -> None:
    """Write text with a language model that `seqloom lm` saved."""
    from ..tasks import LanguageModel, load
    from .columns import json_text, say

    model = load(run)
    if not isinstance(model, LanguageModel):
        raise SettingError(f"RUN: {run} holds a {type(model).__name__}; only a language model writes text.")
    text = model.generate(prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    if json:
        say(json_text({"prompt": prompt, "text": text}))
        return
    say(prompt + ("" if model.level == "char" or not prompt else " ") + text)
