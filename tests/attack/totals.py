"""The counts of an attack, merged over runs and kept as JSON; a table of them for the terminal and for documents."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["BEGIN", "END", "Totals", "record"]

BEGIN, END = "<!-- attack totals: begin -->", "<!-- attack totals: end -->"
_WHAT = {
    "files": "file inputs",
    "commands": "files given to commands",
    "models": "altered model folders",
    "tensors": "tensor calls and compositions",
    "kills": "kills, each resumed",
    "faults": "faults of the system in a run, each resumed",
}


class Totals:
    """Counts by target and label, longest cases, peak memory and minutes; kept in `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        empty = {"targets": {}, "found": 0, "peak": 0, "seconds": 0.0, "runs": 0}
        self.values: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else empty

    def add(self, target: str, result: dict[str, Any]) -> None:
        """Add what a batch counted."""
        rows = self.values["targets"].setdefault(target, {})
        for label, counts in result.get("counts", {}).items():
            row = rows.setdefault(label, {"accepted": 0, "refused": 0, "finding": 0, "longest": 0.0, "slowest": ""})
            for verdict, number in counts.items():
                row[verdict] += number
            seconds, description = result["longest"].get(label, (0.0, ""))
            if seconds > row["longest"]:
                row["longest"], row["slowest"] = seconds, description[:200]
        self.values["peak"] = max(self.values["peak"], result.get("peak", 0))

    def add_death(self, target: str, label: str, seconds: float) -> None:
        """Count a case that ended its process."""
        counts = {label: {"finding": 1}}
        self.add(target, {"counts": counts, "longest": {label: (round(seconds, 3), "ended its process")}})

    def save(self) -> None:
        """Write the file anew."""
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.values, indent=1), "utf-8")
        os.replace(temporary, self.path)

    def number(self, target: str, verdict: str | None = None) -> int:
        """The cases of a target, all or those of one verdict."""
        rows = self.values["targets"].get(target, {}).values()
        return sum(row[key] for row in rows for key in ([verdict] if verdict else ["accepted", "refused", "finding"]))

    def rows(self) -> list[tuple[str, ...]]:
        """(target, label, cases, refused, accepted, findings, longest case in seconds), a line for each label."""
        found = []
        for target, rows in self.values["targets"].items():
            for label, row in sorted(rows.items()):
                cases = row["accepted"] + row["refused"] + row["finding"]
                numbers = (f"{row[key]:,}" for key in ("refused", "accepted", "finding"))
                found.append((target, label, f"{cases:,}", *numbers, f"{row['longest']:.2f}"))
        return found

    def lines(self) -> list[str]:
        """The sums, in words."""
        said = [f"{self.number(target):,} {_WHAT.get(target, target)}" for target in self.values["targets"]]
        minutes, peak = self.values["seconds"] / 60, self.values["peak"] / 2**20
        return [
            f"{', '.join(said) or 'nothing yet'}, in {minutes:,.0f} minutes of {self.values['runs']:,} runs.",
            f"Highest resident memory of a process: {peak:,.0f} MiB. Faults found: {self.values['found']:,}.",
        ]


def record(totals: Totals, document: Path, still_open: int) -> None:
    """Rewrite what stands between the two markers of `document`; raises ValueError where they aren't there."""
    text = document.read_text("utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document}: expected the lines {BEGIN} and {END}.")
    table = [
        "| target | what | cases | refused | accepted | findings | longest case, s |",
        "|---|---|---|---|---|---|---|",
    ]
    table += ["| " + " | ".join(row) + " |" for row in totals.rows()]
    mended = "" if not totals.values["found"] else f" Of these, {still_open:,} are open, the others are mended."
    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    said = " ".join(totals.lines()) + mended + f" ({where}; written by `python -m tests.attack --record`.)"
    document.write_text("\n".join([head + BEGIN, said, "", *table, END + tail]), "utf-8")
