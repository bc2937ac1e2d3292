"""Writes docs/benchmarks.md from the JSON of a run: `python -m bench.document build/bench.json`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench.run import tables

__all__ = ["document", "main"]

HEAD = """# Benchmarks

Written from one run of `{command}` by `python -m bench.document`; don't edit by hand. Every peer works in a process of
its own with {threads} threads, denormals flushed, {policy}; peers take turns in
{rounds} rounds, each turn after 20 ms of rest and 20 ms of steps that are not timed. Times are medians in milliseconds
(lowest and highest in brackets), a ratio is the peer's time over ours taken round by round, so above 1 we are faster;
losses stay in. "Of multiply-adds" and "of bytes" are shares of what the machine did in the same rounds: fused
multiply-adds in registers, with the instruction set in use, and memory moved; the one that binds is bold. A step's
operations are 6·B·T·G·H·(I+H) (forward alone a third of that), its bytes at least 4·B·T·(2·(I+H+saved) + H) (forward
4·B·T·(I+H)) with saved = 4·H (GRU), 5·H (LSTM), 0 (Elman); arrays that stay in the last cache move faster than
memory. "Of sgemm" is our arithmetic rate as a share of a large float32 product's. The steady loop is what a user's
training loop sees: each side alone in a new process, without rest. "Last output" is a TCN of which the last step
alone is used, as its published program does: ours then runs the steps that reach it, torch's all of them.

Machine: {processor}, {cores} cores, {system}.
Versions: {versions}.
{remark}
"""


def document(record: dict[str, Any], *, command: str, rounds: int, remark: str) -> str:
    """The page as Markdown."""
    machine, policy = record["machine"], record["wait_policy"]
    head = HEAD.format(
        command=command,
        threads=record["threads"],
        rounds=rounds,
        policy="OpenMP's default wait policy" if policy is None else f"`OMP_WAIT_POLICY={policy}`",
        processor=machine["processor"],
        cores=machine["cores"],
        system=machine["system"].split("-with-")[0],
        versions=", ".join(f"{name} {number}" for name, number in record["versions"].items()),
        remark=f"\n{remark}\n" if remark else "",
    )
    return head + "\n" + tables(list(record["cases"].values())) + "\n"


def main() -> None:
    """Read the JSON, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path)
    parser.add_argument("--command", default="make bench")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--remark", default="", help="what a reader should know about this run")
    parser.add_argument(
        "--also", type=Path, nargs="*", default=[], help="Markdown of other runs, put behind the tables"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md")
    arguments = parser.parse_args()
    record = json.loads(arguments.json.read_text())
    text = document(record, command=arguments.command, rounds=arguments.rounds, remark=arguments.remark)
    arguments.out.write_text(text + "".join(f"\n{path.read_text()}" for path in arguments.also))


if __name__ == "__main__":
    main()
