"""What seqloom costs as tables, searches and backtests grow.

    python -m bench.scale --folder DIR

Each table, engine and count is measured in a process of its own, one after the other, and kept in DIR/scale.json, so
that a run that was ended goes on where it stood. The tables and exponents are printed as Markdown; docs/scale.md holds
them with what follows from them, and docs/scale.svg is the chart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.scale.engines import JOBS, KINDS
from bench.scale.page import chart, engine_table, growth_table
from bench.scale.phases import write_table

ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SERIES = (1, 10, 100, 1_000, 10_000, 100_000)
EACH = 200  # rows of a series where series are counted
ENGINES = (("local", 1), ("local", 2), ("ray", 1), ("ray", 2))


def main() -> None:
    """Measure what is not yet in the folder, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where tables and figures are kept")
    parser.add_argument("--rows", default=",".join(map(str, ROWS)), help="rows of one series")
    parser.add_argument("--series", default=",".join(map(str, SERIES)), help=f"series of {EACH} rows")
    parser.add_argument("--engines", default="local,ray", help="which engines")
    parser.add_argument("--svg", type=Path, help="a file for the chart")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    kept = Kept(given.folder / "scale.json")
    by_rows = [_table(kept, given.folder, 1, int(rows)) for rows in given.rows.split(",")]
    by_series = [_table(kept, given.folder, int(series), EACH) for series in given.series.split(",")]
    engines = _engines(kept, given.engines.split(","))
    print(growth_table(by_rows, "rows", "row"), growth_table(by_series, "series", "series"), sep="\n\n")
    for kind in ("jobs", *KINDS):
        print("\n" + engine_table(engines, kind))
    if given.svg is not None:
        given.svg.write_text(chart(by_rows, by_series))


class Kept:
    """Figures by what was measured, in one file that is written after each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, module: str, words: Sequence[str], name: str) -> dict[str, Any]:
        """The figures of that name, measured now by a process of `python -m module words` where they are not there."""
        if name not in self.found:
            environment = {**os.environ, "RAY_DEDUP_LOGS": "0"}
            done = subprocess.run(
                [sys.executable, "-m", module, *words], env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            self.found[name] = json.loads(done.stdout.strip().splitlines()[-1])
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self.found, indent=1))
            part.replace(self.path)
            print(f"{name}: {json.dumps(self.found[name])}", file=sys.stderr, flush=True)
        return self.found[name]


def _table(kept: Kept, folder: Path, series: int, rows: int) -> dict[str, Any]:
    name = f"{series} series of {rows} rows"
    path = folder / f"scale-{series}-{rows}.parquet"
    if name not in kept.found:
        write_table(path, series, rows)
    return {"series": series, "rows": rows, **kept.get("bench.scale.phases", [str(path)], name)}


def _engines(kept: Kept, names: Sequence[str]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for engine, workers in ENGINES:
        for kind, counts in {"jobs": JOBS, **KINDS}.items():
            for count in counts if engine in names else ():
                words = [kind, engine, str(workers), str(count)]
                about = {"kind": kind, "engine": engine, "workers": workers, "count": count}
                found.append({**about, **kept.get("bench.scale.engines", words, " ".join(words))})
    return found


if __name__ == "__main__":
    main()
