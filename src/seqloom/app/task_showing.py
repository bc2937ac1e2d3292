"""What the commands of sequence and text models print."""

from __future__ import annotations

from collections.abc import Sequence

from ..tasks.comparison import Comparison
from .columns import json_text, say, say_lines
from .showing import scores_text

__all__ = ["show_comparison"]


def show_comparison(run: Comparison, notes: Sequence[str], *, as_json: bool, quiet: bool) -> None:
    """Print a comparison: what was assumed, the table, the plain sentences, and the folder."""
    place = None if run.directory is None else str(run.directory)
    if as_json:
        say(json_text({**run.metrics, "assumed": list(notes), "out": place}))
        return
    if quiet:
        say(scores_text(run.metrics))
        return
    say_lines(notes)
    if notes:
        say()
    say(scores_text(run.metrics))
    say()
    say_lines([*run.metrics["statements"], *run.metrics["notes"]])
    say()
    if place is None:
        say("Nothing was kept, because no --out folder was given.")
    else:
        say(f"Report: {place}/report.html")
        say(f"Everything else (metrics, predictions, model): {place}")
