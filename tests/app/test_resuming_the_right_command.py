"""A run is gone on with by the command that began it: a search by `seqloom tune`, and every refusal names it whole."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Refused


def begun(folder: Path, command: str, search: bool) -> Path:
    """What an ended run leaves, as far as these commands look."""
    record: dict[str, Any] = {"schema": 1, "command": command, "settings": {}, "versions": {}, "timings": {}}
    record |= {"started": "2026-01-01T00:00:00+00:00", "finished": None}
    left = ["gru", ".after"]
    if search:
        record["search"], left = {"trials": 4}, [".search"]
    for name in left:
        (folder / "checkpoint" / name).mkdir(parents=True)
        (folder / "checkpoint" / name / "0").mkdir()
    (folder / "run.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("name", ["forecast", "classify"])
@pytest.mark.parametrize("search", [True, False])
def test_inspect_says_how_to_resume(command: Command, tmp_path: Path, name: str, search: bool) -> None:
    run = begun(tmp_path / "a run", name, search)
    shown = command("inspect", run)
    assert shown.code == 0, shown
    kind, networks, typed = ("search", "none", f"tune {name}") if search else ("run", "gru", name)
    assert shown.out.startswith(f"An unfinished {kind}, started 2026-01-01T00:00:00+00:00; ")
    assert f"networks with a checkpoint: {networks}.\n" in shown.out
    assert f"Resume with: seqloom {typed} --resume {shlex.quote(str(run))}\n" in shown.out
    told = json.loads(command("inspect", run, "--json").out)
    assert told["begun"] == ([] if search else ["gru"])


@pytest.mark.parametrize("name", ["forecast", "classify"])
@pytest.mark.parametrize("search", [True, False])
def test_the_other_command_is_refused_with_what_works(
    refused: Refused, tmp_path: Path, name: str, search: bool
) -> None:
    run = begun(tmp_path / "run", name, search)
    right, wrong = (f"tune {name}", name) if search else (name, f"tune {name}")
    for typed in (wrong, "tune tag", "tag"):
        said = refused(*typed.split(), "--resume", run)
        assert f"expected the record of a 'seqloom {typed}' run, this is one of 'seqloom {right}'; " in said
        assert said.endswith(f"use seqloom {right} --resume {run} instead.\n")
