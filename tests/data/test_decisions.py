"""Every sentence about what was decided tells what to type where it was not meant, or that nothing need be done."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from test_made_like_public_files import FILES
from test_time_cases import FILES as TIMED

from seqloom.app.flags import in_flags, told
from seqloom.data import Panel, read_table
from seqloom.errors import SeqloomError
from seqloom_runtime.data.decisions import Decision, names_a_way
from seqloom_runtime.data.quality import Finding, Repair
from seqloom_runtime.data.text import read_corpus, read_labelled, read_tagged
from seqloom_runtime.data.text.corpus import split_running
from seqloom_runtime.data.time_columns import choose_time

ROOT = Path(os.environ.get("SEQLOOM_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")).parent / "cases"
TABLES = sorted(path for path in ROOT.glob("*/*") if path.parent.name[:2] < "63" and path.suffix in (".csv", ".txt"))
TABLES = [path for path in TABLES if path.name != "command.txt"]


def check(sentences: Iterable[str]) -> None:
    for text in sentences:
        assert names_a_way(text), text
        assert text.endswith((".", ")")), text
        told = in_flags(text, "data")
        assert not re.search(r"\b[a-z_]+=(?:['\d)]|True|False)", told), told  # flags alone, on the command line


def decided(table: Any, **how: Any) -> list[str]:
    chosen = choose_time(table)
    panel = Panel.from_frame(table, time=chosen.time, **how)
    assert panel.quality is not None
    read = [finding.text for finding in panel.quality.findings if finding.kind in ("offsets", "sentinel")]
    return [*(d.text for d in panel.quality.decisions), *(r.text for r in panel.quality.repairs), *read]


@pytest.mark.skipif(not ROOT.is_dir(), reason=f"the reduced public files are not at {ROOT}")
def test_of_every_case() -> None:
    count = 0
    for path in TABLES:
        try:
            said = decided(read_table(path))
        except SeqloomError:
            continue
        count += len(said)
        check(said)
    assert count > 25
    readers: tuple[tuple[str, Any], ...] = (
        ("6[3-8]", read_labelled),
        ("70", read_tagged),
        ("72", read_tagged),
        ("7[456]", read_corpus),
    )
    for number, read in readers:
        for path in sorted(ROOT.glob(f"{number}-*/a.*")):
            columns: dict[str, Any] = {"word_column": 1, "tag_column": 2} if path.parent.name.startswith("70") else {}
            check(d.text for d in read(path, **columns).decisions)
    conllu = next(ROOT.glob("69-*/a.*"))
    check(told(read_tagged(conllu, word_column=1, tag_column=3).decisions))


@pytest.mark.parametrize("kind", FILES)
def test_of_files_made_like_public_ones(tmp_path: Path, kind: str) -> None:
    text, columns, _ = FILES[kind]
    (tmp_path / "a.txt").write_text(text)
    table = read_table(tmp_path / "a.txt")
    for name in columns:
        table.numbers(name)
    check(decision.text for decision in table.decisions)


@pytest.mark.parametrize("kind", TIMED)
def test_of_times(tmp_path: Path, kind: str) -> None:
    header, times, write, *_ = TIMED[kind]
    (tmp_path / "a.csv").write_text(header + "\n" + "".join(f"{write(t, k)}\n" for k, t in enumerate(times)))
    check(decided(read_table(tmp_path / "a.csv")))


def test_of_repairs(tmp_path: Path) -> None:
    days = [f"2024-01-{day:02}" for day in (1, 3, 2, 2, 4, 5, 6, 9, 20, 21)]
    rows = [f"{day},{k * (k != 4) or '' if day != '2024-01-02' else 7},word {k}" for k, day in enumerate(days)]
    (tmp_path / "a.csv").write_text("day,x,note\n" + "\n".join(rows) + "\n")
    table = read_table(tmp_path / "a.csv")
    said = decided(table, max_fill=2)
    check(said)
    joined = " ".join(said)
    assert (
        "'note' holds texts and is no column of numbers: it is left out; to read it, name it as words (categories=)"
        in joined
    )
    assert "dropped; another way can be named (duplicates=)" in joined
    assert "and marked; another way (fill=) or limit (max_fill=) can be named" in joined
    check(decided(table, fill="none"))
    check(decided(table, duplicates="last", missing=[7]))


def test_of_a_running_text() -> None:
    check(d.text for d in split_running("a b c d e f g h i j", "word", 0.2)[2])


def test_a_sentence_is_completed_once() -> None:
    said = Decision("units", "Line 2 holds units.")
    assert said.text.endswith("(skip=).")
    assert Decision(**said.to_json()) == said
    assert Repair("left", 1, "1 gap left open.").text == "1 gap left open; another limit can be named (max_fill=)."
    assert Finding("missing", 1, "1 missing cell.").text == "1 missing cell."  # what was found, not decided
