"""`seqloom generate`: text written by a saved language model, or music by a model of piano rolls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqloom_runtime.errors import SettingError, shown, suggest

from . import options as o
from .opened import RUN, opened
from .streams import tell

__all__ = ["generate"]

Run = Annotated[Path, typer.Argument(metavar="RUN", help=RUN, show_default=False)]
Prompt = Annotated[str, typer.Option(metavar="TEXT", help="What the text goes on from.")]
Length = Annotated[int, typer.Option(metavar="N", help="Words, characters or frames to write.")]
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
Model = Annotated[
    str | None, typer.Option(metavar="NAME", help="Model of the run that writes.", show_default="the best of the run")
]
Seed = Annotated[int, typer.Option(metavar="N", help="Same seed, same text or music.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="MIDI file that music is written to.", show_default=False)
]
Speed = Annotated[float, typer.Option(metavar="N", help="Frames of music in a minute.")]


def generate(
    run: Run,
    prompt: Prompt = "",
    length: Length = 100,
    temperature: Temperature = 0.8,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = 0,
    model: Model = None,
    out: Out = None,
    steps_per_minute: Speed = 240.0,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Write text with a language model that `seqloom lm` saved: the best of the run, or the one that --model names.

    With a model of piano rolls that `seqloom sequences` saved, write music: --out names the MIDI file.
    """
    from ..tasks import FrameModel, LanguageModel, load
    from .columns import json_text, say

    place, about = _chosen(opened(run), model)
    writer = load(place)
    if isinstance(writer, FrameModel):
        if prompt or top_k is not None or top_p is not None:
            raise SettingError("--prompt, --top-k, --top-p: they are of text; leave them out for music.")
        roll = writer.generate(None, length, temperature=temperature, seed=seed)
        _write_music(roll, out, steps_per_minute, as_json=json, quiet=quiet, said=f"{writer.model}{about}")
        return
    if out is not None:
        raise SettingError(f"--out: {run} holds a model of text, which is written to the terminal; leave it out.")
    if not isinstance(writer, LanguageModel):
        raise SettingError(f"RUN: {run} holds a {type(writer).__name__}; only a language model writes text.")
    text = writer.generate(prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    if json:
        say(json_text({"model": writer.model, "prompt": prompt, "text": text}))
        return
    if not quiet:
        tell(f"Written by {writer.model}{about}.")  # beside the text, which may be piped on
    say(prompt + ("" if writer.level == "char" or not prompt else " ") + text)


def _write_music(
    roll: Any, out: Path | None, steps_per_minute: float, *, as_json: bool, quiet: bool, said: str
) -> None:
    from seqloom_runtime.data.sequences.midi import notes_of, write_midi

    from .columns import json_text, say

    if out is None and not as_json:
        raise SettingError("--out: name the MIDI file that the music is written to, such as piece.mid.")
    if out is not None:
        write_midi(out, roll, steps_per_minute=steps_per_minute)
    if as_json:
        steps = [[int(key) for key in frame.nonzero()[0]] for frame in roll]
        say(json_text({"model": said, "out": None if out is None else str(out), "steps": steps}))
    elif not quiet:
        say(f"{len(roll):,} frames with {len(notes_of(roll)):,} notes, written by {said}: {out}")


def _chosen(run: Path, name: str | None) -> tuple[Path, str]:
    """The folder of the model that writes, and what there is to say about it behind its name.

    Raises SettingError for a name that the run doesn't hold.
    """
    from seqloom_runtime.files import read_json

    folder = run / "models"
    others = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    metrics = read_json(run / "metrics.json") if (run / "metrics.json").is_file() else {}
    best = metrics.get("best") if isinstance(metrics, dict) else None
    if name is None:
        if not isinstance(best, str):
            return run, ""
        more = f" ({', '.join(others)})" if others else ""
        return run, f", the best on validation; --model has another one write{more}" if more else ""
    if name == best:
        return run, ""
    if name not in others:
        known = [*([best] if isinstance(best, str) else []), *others]
        if not known:
            raise SettingError(f"--model: {run} holds one model alone; leave it out, or name the folder of a run.")
        raise SettingError(
            f"--model: expected one of {', '.join(known)}, which {run} holds, got {shown(name)}.{suggest(name, known)}"
        )
    return folder / name, f", not the best on validation, which is {best}" if isinstance(best, str) else ""
