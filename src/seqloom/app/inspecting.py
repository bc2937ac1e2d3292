"""`seqloom inspect`: what a run or model folder holds, checked against its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as o

__all__ = ["inspect"]

Folder = Annotated[Path, typer.Argument(help="A run folder or a model folder.")]


def inspect(run: Folder, json: o.Json = False) -> None:
    """Show what a run folder or model folder holds."""
    from ..files import read_json
    from ..report import table_text
    from ..tasks import load
    from .showing import json_text

    metrics = read_json(run / "metrics.json") if (run / "metrics.json").is_file() else None
    record = read_json(run / "run.json") if (run / "run.json").is_file() else None
    if record is not None and metrics is None:
        text = f"{run}: an unfinished run, started {record.get('started')}; go on with: seqloom forecast --resume {run}"
        typer.echo(json_text({"run": record, "finished": False}) if json else text)
        return
    model = load(run)
    about = describe(model)
    if json:
        typer.echo(json_text({"model": about, "metrics": metrics, "run": record}))
        return
    if metrics is not None:
        typer.echo(table_text(metrics))
        typer.echo("")
        for line in metrics["statements"]:
            typer.echo(line)
        typer.echo("")
    for name, value in about.items():
        typer.echo(f"{name + ':':<14}{value}")
    if record is not None:
        typer.echo(
            f"{'seed:':<14}{record['seed']}, {record['threads']} threads, "
            + ", ".join(f"{k} {v}" for k, v in record["versions"].items())
        )


def describe(model: Any) -> dict[str, Any]:
    """The facts of a fitted forecaster, each in a phrase."""
    spec, roles = model.window_spec_, model.features_.roles
    label = model.frequency_.label
    return {
        "model": f"{model.model}, {model.n_parameters_} parameters, anchor {model.anchor_}",
        "target": roles.target,
        "inputs": ", ".join(model.features_.names),
        "known ahead": ", ".join(roles.future) or "nothing",
        "window": f"reads {spec.lookback} rows ({len(spec.input_offsets)} steps), forecasts {len(spec.steps)} steps up to {spec.horizon} rows; a row is {label}",
        "intervals": ", ".join(f"{level} %" for level in model.radii_) or "none",
        "series": ", ".join(name or "one, unnamed" for name in model.context_.ids[:8])
        + (" …" if len(model.context_.ids) > 8 else ""),
        "validation": f"mean absolute error {model.choosing_mae_:.4g} on the rows that choose",
    }
