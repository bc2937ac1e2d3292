"""Writes the sequence-modelling table into docs/studies.md: `python -m bench.studies FOLDER`.

FOLDER holds the run folders of `seqloom reproduce … --out FOLDER/ANY`, finished or not. Every row of arXiv 1803.01271,
Table 1, has a line; one that no run holds says so. What stands between the two marks of the page is replaced.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from seqloom.report.wording import fixed, per_cent
from seqloom.studies import StudySettings, find_study
from seqloom.studies.folder import read_record, recorded_settings
from seqloom.studies.results import RowResult
from seqloom.studies.study import Column, Prepared, Row, Study
from seqloom_runtime.files import read_json

__all__ = ["FIRST", "LAST", "STUDIES", "between_marks", "found_runs", "main", "replaced", "table"]

FIRST, LAST = "<!-- sequence-modelling table: first line -->", "<!-- sequence-modelling table: last line -->"
# The order of the published table, then what it leaves out.
STUDIES = (
    *("sequential-mnist", "permuted-mnist", "adding", "copy-memory", "jsb", "nottingham", "ptb-words"),
    *("wikitext-103", "lambada", "ptb-chars", "text8", "piano-midi", "muse"),
)
_NOT_SCORES = ("parameters", "epochs", "best_epoch", "epoch_seconds", "seconds")
_HEADINGS = (
    *("study", "row", "score", "ours", "published", "goal", "parameters", "epochs", "best epoch"),
    *("minutes", "seeds", "trained with"),
)


def found_runs(folder: Path) -> dict[str, dict[str, list[RowResult]]]:
    """Study → row → its results, of all whole-size run folders at or below `folder`."""
    found: dict[str, dict[str, list[RowResult]]] = {}
    for path in sorted(folder.rglob("run.json")):
        record = read_json(path)
        if record.get("command") != "reproduce" or record.get("study") not in STUDIES:
            continue
        record = read_record(path.parent)
        settings = recorded_settings(record, path)
        # A quick run, or one of another length, is of another task than the published one.
        if settings.quick or settings.length is not None:
            continue
        for file in sorted((path.parent / "rows").glob("*.json")):
            result = RowResult.from_json(read_json(file), file)
            rows = found.setdefault(record["study"], {})
            kept = rows.setdefault(result.row, [])
            # Of the same row and seed, the run with more epochs.
            twin = next((other for other in kept if other.seed == result.seed), None)
            if twin is None or (result.value("epochs") or 0) > (twin.value("epochs") or 0):
                rows[result.row] = [*(other for other in kept if other is not twin), result]
    return found


def table(found: Mapping[str, Mapping[str, Sequence[RowResult]]]) -> str:
    """The Markdown table, with a line for each row of each study and what was reached in a sentence."""
    lines, met, missed, absent = [], 0, [], 0
    for name in STUDIES:
        study = find_study(name)
        # No data is needed to know the rows: only the language models look whether their text is the original.
        rows = study.rows(StudySettings(), Prepared(SimpleNamespace(original=True)))
        for row in rows:
            results = [result for result in found.get(name, {}).get(row.name, ()) if result.outcome is not None]
            lines.append(_line(study, row, results))
            absent += not results
            for key, goal in row.goals.items() if results else ():
                reached = _reached(_column(study, key), results, goal)
                met += reached
                if not reached:
                    missed.append(f"`{name}` {row.label}")
    head = [_HEADINGS, ("---", "---", "---", *("---:",) * (len(_HEADINGS) - 4), "---")]
    marked = "\n".join("| " + " | ".join(cells) + " |" for cells in [*head, *lines])
    said = [f"{met} of {met + len(missed)} rows with a goal that were run reach it; {absent} rows were not run."]
    if missed:
        said.append(f"Missed: {', '.join(missed)}.")
    return marked + "\n\n" + " ".join(said) + "\n"


def replaced(page: str, text: str) -> str:
    """The page with `text` between the table's two marks; raises ValueError where it lacks them."""
    return between_marks(page, text, (FIRST, LAST))


def between_marks(page: str, text: str, marks: tuple[str, str]) -> str:
    """The page with `text` between two lines of it; raises ValueError where it lacks them."""
    first, last = marks
    before, mark, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not mark or not end:
        raise ValueError(f"the page lacks the lines {first} and {last}")
    return f"{before}{first}\n\n{text}\n{last}{after}"


def _line(study: Study, row: Row, results: Sequence[RowResult]) -> tuple[str, ...]:
    column = next(column for column in study.columns if column.key not in _NOT_SCORES)
    published, goal = row.published.get(column.key), row.goals.get(column.key)
    asked = "–"
    if goal is not None:
        met = "" if not results else " ✓" if _reached(column, results, goal) else " ✗"
        asked = f"{'≥' if column.higher_is_better else '≤'} {_number(column, goal)}{met}"
    cells = (study.name, row.label, column.heading)
    if not results:
        return (*cells, "not run", _number(column, published), asked, *("–",) * 6)
    values = [value for result in results if (value := result.value(column.key)) is not None]
    minutes = f"{median(result.seconds for result in results) / 60:.1f}" if row.seeded else "–"
    seeds = ", ".join(str(result.seed) for result in results) if row.seeded else "–"
    notes = [note for result in results[:1] if result.outcome is not None for note in result.outcome.notes]
    return (
        *cells,
        _number(column, median(values) if values else None),
        _number(column, published),
        asked,
        *(_whole(results, key) for key in ("parameters", "epochs", "best_epoch")),
        minutes,
        seeds,
        _trained(notes),
    )


def _trained(notes: Sequence[str]) -> str:
    said = next((note.rstrip(".") for note in notes if "learning rate" in note), "–")
    return said + ("; our size, none published" if any("no settings are published" in note for note in notes) else "")


def _column(study: Study, key: str) -> Column:
    return next(column for column in study.columns if column.key == key)


def _reached(column: Column, results: Sequence[RowResult], goal: float) -> bool:
    values = [value for result in results if (value := result.value(column.key)) is not None]
    return bool(values) and (median(values) >= goal if column.higher_is_better else median(values) <= goal)


def _number(column: Column, value: float | None) -> str:
    if value is None:
        return "–"
    return per_cent(value, column.decimals or 0) if column.per_cent else fixed(value, column.decimals)


def _whole(results: Sequence[RowResult], key: str) -> str:
    values = [value for result in results if (value := result.value(key)) is not None]
    return f"{median(values):,.0f}" if values else "–"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the runs, write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "studies.md")
    given = parser.parse_args(arguments)
    given.page.write_text(replaced(given.page.read_text(), table(found_runs(given.folder))))


if __name__ == "__main__":
    main()
