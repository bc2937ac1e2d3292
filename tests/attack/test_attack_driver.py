"""The attack can fail: each planted kind of fault is found, named and can be replayed; honest ends are no findings."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from .batch import cases_of
from .driver import Attack, Plan, open_findings
from .planted import FAULTS
from .totals import BEGIN, END, Totals, record

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Attack:
    """Attacks on the planted faults, a batch of one process for each fault."""
    out = tmp_path_factory.mktemp("attack")
    attack, left = None, set(FAULTS)
    for seed in itertools.count():
        plan = Plan(60, 1, seed, {"planted": 1.0}, out, most=4)
        ahead = {
            name.partition(":")[0] for name, _ in itertools.islice(cases_of("planted", plan.seed_of("planted", 0)), 4)
        }
        if ahead & left:
            attack = Attack(plan)
            attack.run()
            left -= ahead
        if attack is not None and not left:
            return attack
    raise AssertionError


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found(attacked: Attack, name: str) -> None:
    found = [json.loads((place / "finding.json").read_text()) for place in open_findings(attacked.plan.out)]
    kinds = {entry["kind"] for entry in found if entry["description"].startswith(f"{name}: ")}
    assert kinds == {FAULTS[name][1]}


def test_honest_ends_are_counted_and_are_no_findings(attacked: Attack) -> None:
    rows = attacked.totals.values["targets"]["planted"]
    assert rows["good"]["finding"] == 0
    assert rows["good"]["refused"] == 2 * rows["good"]["accepted"] > 0
    assert not any(
        json.loads((place / "finding.json").read_text())["description"].startswith("good")
        for place in open_findings(attacked.plan.out)
    )
    assert attacked.totals.values["found"] == attacked.totals.number("planted", "finding")


def test_totals_go_on_where_they_were(attacked: Attack) -> None:
    again = Totals(attacked.plan.out / "totals.json")
    assert again.values == attacked.totals.values
    assert again.values["runs"] > 1


def test_finding_is_replayed(attacked: Attack) -> None:
    place = next(place for place in open_findings(attacked.plan.out) if "dies" in (place / "finding.json").read_text())
    command = [sys.executable, "-m", "tests.attack", "--replay", str(place)]
    died = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert died.returncode == -6, died


def test_totals_are_recorded_between_the_markers(attacked: Attack, tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"Before.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n", "utf-8")
    record(attacked.totals, document, 3)
    text = document.read_text("utf-8")
    assert text.startswith(f"Before.\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nAfter.\n")
    assert "| planted | hangs | " in text
    assert "old" not in text
    document.write_text("no markers\n", "utf-8")
    with pytest.raises(ValueError, match="expected the lines"):
        record(attacked.totals, document, 0)


def test_same_seed_same_cases() -> None:
    for target in ("files", "commands", "kills", "faults"):
        first, second, other = (
            [name for name, _ in itertools.islice(cases_of(target, seed), 20)] for seed in (1, 1, 2)
        )
        assert first == second != other
