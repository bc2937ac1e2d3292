"""`python -m tests.attack`: attack for so many minutes, print the totals, exit with 1 where something was found."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import THREADS
from .driver import SHARES, Attack, Plan, open_findings, warm
from .replay import recheck, replay
from .totals import Totals, record


def main() -> int:
    """Run what the arguments ask for."""
    asked = _arguments()
    if asked.replay:
        return 0 if replay(asked.replay.resolve()) else 1
    out = asked.out.resolve()
    if asked.recheck:
        return 1 if recheck(open_findings(out)) else 0
    if asked.record:
        record(Totals(out / "totals.json"), asked.record, len(open_findings(out)))
        return 0
    chosen = asked.only.split(",") if asked.only else list(SHARES)
    unknown = [name for name in chosen if name not in SHARES]
    if unknown:
        print(f"--only: expected some of {', '.join(SHARES)}, got {unknown[0]!r}.", file=sys.stderr)
        return 2
    seed = asked.seed if asked.seed is not None else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}, findings and counts go to {out}")
    shares = {name: SHARES[name] for name in chosen}
    warm(everything=asked.cases is None)
    attack = Attack(Plan(asked.minutes * 60, asked.workers, seed, shares, out, most=asked.cases), _progress())
    found = attack.run()
    _print_totals(attack.totals)
    for entry in {entry["fingerprint"]: entry for entry in attack.findings}.values():
        print(f"finding: {entry['target']} {entry['kind']}: {entry['description'][:120]}\n  {entry['replay']}")
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="wall clock")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--seed", type=int, help="same seed, same cases; another one each time by default")
    parser.add_argument("--cases", type=int, metavar="N", help="stop after N cases of each target")
    parser.add_argument("--only", help=f"some of {','.join(SHARES)}")
    parser.add_argument("--out", type=Path, default=Path("build/attack"), help="totals over all runs, and findings")
    parser.add_argument("--replay", type=Path, metavar="FINDING", help="run one finding again, with its traceback")
    parser.add_argument("--recheck", action="store_true", help="run all findings again, put the mended ones aside")
    parser.add_argument("--record", type=Path, metavar="DOCUMENT", help="write the totals between its two markers")
    return parser.parse_args()


def _progress() -> Callable[[Attack], None]:
    """A line that is drawn anew on a terminal, every half minute a line elsewhere. No thread of its own: we fork."""
    from rich.console import Console

    console, began = Console(), time.monotonic()
    last = began

    def show(attack: Attack) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.5 if console.is_terminal else 30):
            return
        last = now
        left = max(0, attack.plan.seconds - (now - began))
        text = f"{left / 60:5.1f} min left; {len(attack.findings)} findings; {attack.totals.lines()[0]}"
        if console.is_terminal:
            console.print(text[: console.width - 1].ljust(console.width - 1), end="\r", highlight=False, markup=False)
        else:
            console.print(text, highlight=False, markup=False)

    return show


def _print_totals(totals: Totals) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("target", "what", *("cases", "refused", "accepted", "findings", "longest, s"))
    for row in totals.rows():
        table.add_row(*row)
    Console().print(table)
    print("\n".join(totals.lines()))


if __name__ == "__main__":
    assert all(os.environ.get(name) for name in THREADS)
    sys.exit(main())
