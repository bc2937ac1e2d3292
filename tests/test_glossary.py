"""docs/glossary.md: its tables of scores and parameters are those of the package, its terms are told with a source.

`python tests/test_glossary.py` writes the tables anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from seqloom.app.commands import settings_of
from seqloom.diagnostics import SCORES
from seqloom.report.sections import TERMS
from seqloom.tasks.parameters import ESTIMATORS, Parameter

GLOSSARY = Path(__file__).resolve().parents[1] / "docs" / "glossary.md"
COMMANDS = (
    "forecast",
    "anomalies",
    "sequences",
    "classify",
    "tag",
    "transcribe",
    "translate",
    "frames",
    "caption",
    "lm",
    "embed",
)
UNITS = {"share": "percent", "signed share": "percent", "target": "the target's unit", "target²": "its square"}


def rows(cells: Iterable[Iterable[str]]) -> str:
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in cells)


def scores() -> str:
    """The table of scores."""
    table = []
    for name, entry in SCORES.items():
        better = "lower" if entry.lower_is_better else "higher"
        unit = UNITS.get(entry.unit, entry.unit) or "–"
        phrase = entry.phrase[:1].upper() + entry.phrase[1:]
        table.append((f"**{phrase}** (`{name}`)", entry.meaning, unit, better, entry.source))
    return rows([("Score", "Meaning", "Unit", "Better", "Source"), ["---"] * 5, *table])


def parameters() -> str:
    """The table of parameters, each meaning of a name once."""
    flags = {option.name for command in COMMANDS for option in settings_of(command).options}
    found: dict[tuple[str, str], Parameter] = {}
    for table in ESTIMATORS.values():
        for name, entry in table.items():
            found.setdefault((name, entry.help), entry)
    lines = []
    for (name, meaning), entry in found.items():
        flag = entry.flag or f"--{name.replace('_', '-')}"
        plain = flag.split("/")[0].removeprefix("--").replace("-", "_")
        lines.append((f"`{name}`", f"`{flag}`" if plain in flags else "–", meaning, entry.source or "–"))
    return rows([("Parameter", "Flag", "Meaning", "Source or name elsewhere"), ["---"] * 4, *sorted(lines)])


def with_tables(text: str) -> str:
    """The document with its two tables made anew."""
    for heading, table in (("Scores", scores()), ("Parameters", parameters())):
        text = re.sub(rf"(## {heading}\n(?:[^|\n][^\n]*\n|\n)*)(?:\|[^\n]*\n)+", lambda m, t=table: m[1] + t, text)
    return text


def test_tables_are_those_of_the_package() -> None:
    text = GLOSSARY.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run python tests/test_glossary.py"
    for name in SCORES:
        assert f"(`{name}`)" in text
    for table in ESTIMATORS.values():
        for name, entry in table.items():
            assert f"| `{name}` |" in text
            assert entry.help.replace("|", "\\|") in text, name


def test_every_term_has_a_meaning_and_a_source() -> None:
    section = GLOSSARY.read_text(encoding="utf-8").split("## Terms\n")[1].split("## Scores")[0]
    terms = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| **")]
    assert len(terms) > 30
    names = [cells[0].strip().casefold() for cells in terms]
    assert names == sorted(names)
    for cells in terms:
        assert len(cells) == 3, cells
        assert all(cell.strip() for cell in cells), cells


def test_terms_of_the_report_are_told() -> None:
    text = GLOSSARY.read_text(encoding="utf-8").casefold()
    for _, term, _ in TERMS:
        assert f"**{term.casefold()}**" in text, term


if __name__ == "__main__":
    GLOSSARY.write_text(with_tables(GLOSSARY.read_text(encoding="utf-8")), encoding="utf-8")
