"""A few kills, faults and hostile commands through the real driver, as `make attack` runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .operations import ERRORS, KINDS, Operations

ROOT = Path(__file__).resolve().parents[2]


def attack(out: Path, *arguments: object) -> dict[str, int]:
    """Run the driver; the cases of each target. Fails with what it printed where it found something."""
    command = [sys.executable, "-m", "tests.attack", "--out", str(out), "--seed", "45", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-3_000:]
    targets = json.loads((out / "totals.json").read_text("utf-8"))["targets"]
    return {name: sum(row["accepted"] + row["refused"] for row in rows.values()) for name, rows in targets.items()}


@pytest.mark.deep
@pytest.mark.slow
def test_kills_faults_and_commands(tmp_path: Path) -> None:
    done = attack(tmp_path, "--only", "kills,faults,commands", "--cases", 4)
    assert done["kills"] >= 4
    assert done["faults"] >= 2
    assert done["commands"] == 4


@pytest.mark.deep
def test_attack_of_five_minutes(tmp_path: Path) -> None:
    done = attack(tmp_path, "--minutes", 5)
    assert done["files"] > 5_000
    assert done["kills"] > 12


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_every_kind_of_operation_can_be_met(kind: str) -> None:
    assert kind in KINDS
    hook = Operations(2, (kind,), error=ERRORS[kind][0])
    hook.meet(kind)
    assert not hook.met
    with pytest.raises(OSError, match=r"x\.csv") as raised:
        hook.meet(kind, "x.csv")
    assert raised.value.errno == ERRORS[kind][0]
    assert hook.met
    hook.meet(kind)


def test_lasting_fault_stays() -> None:
    hook = Operations(1, ("write",), error=28, lasting=True)
    for _ in range(3):
        with pytest.raises(OSError):
            hook.meet("write")
    hook.meet("open")
