"""A seeded part of the attack on the readers, in this process; `make attack` goes on for hours."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .files import KINDS, hostile
from .verdict import judged

# Readers of tables take tens of ms a file, others a tenth of that.
FAST = dict.fromkeys(KINDS, 70) | dict.fromkeys(("forecast run", "task run", "Arrow", "Parquet", "JSON table"), 30)
FAST |= {"CSV": 20, "workbook": 15, "SQLite": 25, "DuckDB": 6, "Keras": 35, "Keras HDF5": 35}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "16M")
    monkeypatch.delenv("SEQLOOM_DATA", raising=False)


def attack(kind: str, first: int, count: int) -> None:
    found, ends = {}, {"accepted": 0, "refused": 0, "finding": 0}
    for number in range(first, first + count):
        shutil.rmtree("cache", ignore_errors=True)
        verdict, _, finding = judged(hostile(kind, number))
        ends[verdict] += 1
        if finding is not None:
            found.setdefault(finding.fingerprint, f"hostile({kind!r}, {number}): {finding.detail[-1_500:]}")
    assert not found, "\n\n".join(found.values())
    assert ends["accepted"] or kind == "MATLAB", (
        "no file was good: nothing but the first lines of the reader was reached"
    )
    assert ends["refused"], "no file was bad"


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files(kind: str) -> None:
    attack(kind, 0, FAST[kind])


@pytest.mark.deep
@pytest.mark.parametrize("kind", KINDS)
def test_many_hostile_files(kind: str) -> None:
    attack(kind, 1_000, 3_000)
