"""python -m bench.accuracy: forecast what is not forecast yet, keep every row, write docs/accuracy.md.

    python -m bench.accuracy peers FOLDER              make the peers' environment
    python -m bench.accuracy --peers FOLDER            everything that is missing (hours)
    python -m bench.accuracy --only small/a10          only work whose name holds the text; * stands for any
    python -m bench.accuracy --only small/a10 --again  the same anew
    python -m bench.accuracy --only 'small/*/AutoETS'  one method on every small table
    python -m bench.accuracy --page                    only the page, from the rows that are kept

Work is named GROUP/DATASET/METHOD/SEED; --list prints the names.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import fmean

from .etth2 import etth2_work
from .m4 import m4_work
from .page import write_page
from .peers import make_environment, python_of
from .results import Results
from .rolling_intervals import intervals_work
from .runs import runs_work
from .small import small_work
from .steps import steps_work
from .tables import data_folder
from .work import Means, Record, Work, revision

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("results.jsonl")
PAGE = ROOT / "docs" / "accuracy.md"


def every_work() -> Iterator[Work]:
    """All work there is, in the order in which it is done."""
    yield from small_work()
    yield from m4_work()
    yield from etth2_work()
    yield from runs_work()
    yield from intervals_work()
    yield from steps_work()


def main(arguments: list[str] | None = None) -> int:
    """Do what the arguments ask for; 1 where something failed."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["peers"]:
        if len(given) != 2:
            print("peers: expected one folder for the environment, as in `python -m bench.accuracy peers build/peers`.")
            return 2
        print(f"the peers' Python: {make_environment(Path(given[1]))}")
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the data sets (SEQLOOM_DATA, else ../shared/data)")
    parser.add_argument("--peers", type=Path, help="the peers' environment; without it their work is left for later")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="TEXT", help="only work whose name holds a text; * for any"
    )
    parser.add_argument("--again", action="store_true", help="also what is kept already")
    parser.add_argument("--stale", action="store_true", help="also our own rows that another commit made")
    parser.add_argument("--ours", action="store_true", help="only our own work")
    parser.add_argument("--page", action="store_true", help="write the page and measure nothing")
    parser.add_argument("--list", action="store_true", help="print the names of the work and what is kept of it")
    parser.add_argument("--threads", type=int, default=1, help="threads of every method")
    parser.add_argument("--kept", type=Path, default=KEPT, help="the file of results")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page")
    options = parser.parse_args(given)
    results = Results(options.kept)
    if options.page:
        write_page(results, options.out)
        return 0
    chosen = [work for work in every_work() if any(fnmatchcase(work.name, f"*{text}*") for text in options.only)]
    if options.ours:
        chosen = [work for work in chosen if not work.peer]
    if options.list:
        for work in chosen:
            kept = sum(results.has((work.dataset, work.method, work.seed, window)) for window in work.windows)
            print(f"{work.name}  {kept} of {len(work.windows)}")
        return 0
    failed = _do(chosen, results, options)
    results.tidy()
    write_page(results, options.out)
    print(f"results: {options.kept}; page: {options.out}")
    return 1 if failed else 0


def _do(chosen: list[Work], results: Results, options: argparse.Namespace) -> int:
    """Do the work one by one; how many failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        peers = python_of(options.peers).absolute() if options.peers else None
        means = Means(data_folder(options.data), peers, Path(scratch), options.threads)
        for work in chosen:
            commit = revision(ROOT)
            keys = {window: (work.dataset, work.method, work.seed, window) for window in work.windows}
            stale = "" if work.peer or not options.stale else commit
            wanted = [window for window, key in keys.items() if options.again or not results.has(key, stale)]
            if not wanted or (work.peer and means.peers is None):
                continue
            began, before = time.perf_counter(), _processor_seconds()
            records: dict[str, Record]
            try:
                records = work.run(means, wanted)
            except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
                records = {window: {"failed": str(error).replace(f"{scratch}/", "")} for window in wanted}
                failed += 1
            cpu = (_processor_seconds() - before) / len(wanted)
            for window, record in records.items():
                results.add(keys[window], {**record, "cpu": cpu, "threads": means.threads, "commit": commit})
            print(f"{work.name}: {_told(list(records.values()))}, {time.perf_counter() - began:.0f} s", flush=True)
    return failed


def _processor_seconds() -> float:
    """Of all commands and workers so far that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _told(records: list[Record]) -> str:
    """The first reason for which a window was not forecast, or the mean of each score over the windows."""
    for record in records:
        if "failed" in record:
            return str(record["failed"])
    names = dict.fromkeys(name for record in records for name in record["scores"])
    means = {name: [record["scores"][name] for record in records if name in record["scores"]] for name in names}
    return ", ".join(f"{name} {fmean(values):.4g}" for name, values in means.items())


if __name__ == "__main__":
    sys.exit(main())
