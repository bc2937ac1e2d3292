"""`make bench` and `make bench-full`: measures, prints one table per group, and writes every figure as JSON.

A run that was interrupted goes on: cases that the JSON already holds are not measured again unless --fresh is given.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.cases import Case, full_grid, headline, short_grid
from bench.convolutions import ConvCase, conv_cases, conv_tables
from bench.harness import Workers, measure, roofline
from bench.peers import PEERS

__all__ = ["main"]

NEEDED = {"keras jax": "jax", "keras tensorflow": "tensorflow", "onnxruntime": "onnxruntime", "torch.nn": "torch"}


def main() -> int:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the whole grid (hours)")
    parser.add_argument("--headline", action="store_true", help="only the shape of the Jena job")
    parser.add_argument("--convolutions", action="store_true", help="only the TCNs")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--wait-policy",
        choices=["default", "passive", "active"],
        default="default",
        help="how idle OpenMP threads wait (OMP_WAIT_POLICY); default: unset, as users have it",
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="time to measure each case for")
    parser.add_argument("--only", help="measure only cases whose name holds this text")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    missing = [package for package in NEEDED.values() if find_spec(package) is None]
    if missing:
        print(f"the benchmark needs its peers; not installed: {', '.join(missing)}", file=sys.stderr)
        return 2
    cases = _cases(arguments)
    if arguments.only:
        cases = [case for case in cases if arguments.only in case.name]
    cases = list(dict.fromkeys(cases))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    policy = None if arguments.wait_policy == "default" else str(arguments.wait_policy)
    record = _open(arguments.out, arguments.threads, policy, arguments.fresh)
    peers = [peer for peer in PEERS if arguments.full or peer != "torch.compile"]  # which takes minutes a case
    with Workers(peers, arguments.threads, policy) as workers:
        for number, case in enumerate(cases):
            if case.name in record["cases"]:
                continue
            print(f"[{number + 1}/{len(cases)}] {case.name}", file=sys.stderr)
            result = measure(workers, case, rounds=arguments.rounds, seconds=arguments.seconds)
            if isinstance(case, Case) and case in headline() and case.mode != "stream":
                result["steady"] = workers.steady(case, arguments.seconds)
            record["cases"][case.name] = result
            _write(arguments.out, record)
    print(tables([record["cases"][case.name] for case in cases]))
    print(f"\nevery figure: {arguments.out}")
    return 0


def _cases(arguments: argparse.Namespace) -> list[Case | ConvCase]:
    """The cases that the arguments ask for."""
    if arguments.convolutions:
        return [*conv_cases()]
    if arguments.headline:
        return [*headline()]
    return [*(full_grid() if arguments.full else short_grid()), *conv_cases()]


def _open(path: Path, threads: int, policy: str | None, fresh: bool) -> dict[str, Any]:
    about = {
        "threads": threads,
        "wait_policy": policy,
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {
            name: version(name)
            for name in ("seqloom", "torch", "keras", "jax", "tensorflow-cpu", "onnxruntime", "numpy")
        },
    }
    if path.exists() and not fresh:
        record = json.loads(path.read_text())
        if {key: record.get(key) for key in about} == about:
            return record
        print(f"{path} is from another machine, thread count, wait policy or version: measuring anew", file=sys.stderr)
    return {**about, "cases": {}}


def _write(path: Path, record: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=1))
    temporary.replace(path)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def tables(results: list[dict[str, Any]]) -> str:
    """One Markdown table per group, and the geometric means; losses stay in."""
    convolutions = conv_tables(results)
    results = [r for r in results if r["case"]["kind"] != "tcn"]
    groups = {
        "Training step with optimizer": [r for r in results if r["case"]["mode"] == "fit"],
        "Training step (forward and backward)": [
            r for r in results if r["case"]["mode"] == "train" and r["case"]["variant"] == "plain"
        ],
        "Training step of the variants": [r for r in results if r["case"]["variant"] != "plain"],
        "Forward without gradient": [r for r in results if r["case"]["mode"] == "forward"],
        "One step at a time, batch 1, from NumPy": [r for r in results if r["case"]["mode"] == "stream"],
    }
    parts = [_steady(results)]
    parts += [_table(title, rows) for title, rows in groups.items() if rows]
    parts += [_cost(results), _means(results), convolutions]
    return "\n\n".join(part for part in [_machine(results), *parts] if part)


def _steady(results: list[dict[str, Any]]) -> str:
    """A loop of steps in a process of its own: what a user's training sees."""
    rows = [row for row in results if "steady" in row]
    if not rows:
        return ""
    peers = [peer for peer in PEERS if peer != "seqloom" and any(peer in row["steady"] for row in rows)]
    head = ["case", "ours ms (10th–90th)", "of multiply-adds", *(f"{peer} ms (ratio)" for peer in peers)]
    title = "### Steady loop: one step after the other, each side alone in a process of its own"
    lines = [title, "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        own = row["steady"]["seqloom"]
        share = roofline(Case(**row["case"]), row["machine"], own["seconds"])["fma_share"]
        spread = f"{1e3 * own['low']:.4g}–{1e3 * own['high']:.4g}"
        cells = [row["name"], f"{1e3 * own['seconds']:.4g} ({spread})", f"{share:.0%}"]
        for peer in peers:
            entry = row["steady"].get(peer)
            ratio = "–" if entry is None else f"{entry['seconds'] / own['seconds']:.2f}×"
            cells.append("–" if entry is None else f"{1e3 * entry['seconds']:.4g} ({ratio})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _machine(results: list[dict[str, Any]]) -> str:
    """What the machine could do while the cases ran: medians over them, and the range."""
    if not results:
        return ""
    said = []
    for name, unit in (("peak", "GFLOP/s"), ("peak_one", "GFLOP/s"), ("flops", "GFLOP/s"), ("bandwidth", "GB/s")):
        values = sorted(row["machine"][name] / 1e9 for row in results)
        said.append(f"{statistics.median(values):.3g} {unit} ({values[0]:.3g}–{values[-1]:.3g})")
    return (
        f"The machine, in the same rounds: multiply-adds in registers {said[0]} on all threads and {said[1]} on one,"
        f" a large product of torch's {said[2]}, memory {said[3]} (a = b + s·c, arrays of 32 MiB each)."
    )


def _table(title: str, rows: list[dict[str, Any]]) -> str:
    peers = [peer for peer in PEERS if any(peer in row["peers"] for row in rows)]
    variants = any("of_plain" in row for row in rows)
    head = [
        "case",
        "ours ms (low–high)",
        *(["beside the plain layer, in turn"] if variants else []),
        "of multiply-adds",
        "of bytes",
        "of sgemm",
        *(f"{peer} ms (ratio)" for peer in peers if peer != "seqloom"),
    ]
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        own = row["peers"]["seqloom"]
        cells = [
            row["name"],
            f"{own['ms']:.4g} ({own['ms_low']:.4g}–{own['ms_high']:.4g})",
            *([f"{row['of_plain'] - 1:+.0%}" if "of_plain" in row else "–"] if variants else []),
            *_shares(own),
            f"{own['sgemm_share']:.0%}",
        ]
        for peer in peers:
            if peer != "seqloom":
                entry = row["peers"].get(peer)
                cells.append(f"{entry['ms']:.4g} ({entry['ratio']:.2f}×)" if entry else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _shares(own: dict[str, Any]) -> list[str]:
    """The shares of the roofline, the one that binds in bold."""
    both = {
        "multiply-adds": f"{own['fma_share']:.0%}",
        "bytes": f"{own['bytes_share']:.0%}" if own["bytes_share"] else "–",
    }
    return [f"**{text}**" if own["binds"] == name else text for name, text in both.items()]


def _cost(results: list[dict[str, Any]]) -> str:
    """Memory of a training step, and its error against float64, of ours and of torch.nn."""
    rows = [row for row in results if "step_mib" in row["peers"].get("torch.nn", {})]
    if not rows:
        return ""
    head = ["case", "ours MiB", "torch.nn MiB", "ours error", "torch.nn error"]
    lines = ["### Memory and error of a training step", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        both = [row["peers"][peer] for peer in ("seqloom", "torch.nn")]
        memory, error = [f"{b['step_mib']:.1f}" for b in both], [f"{b['error']:.1e}" for b in both]
        lines.append("| " + " | ".join([row["name"], *memory, *error]) + " |")
    return "\n".join(lines)


def _means(results: list[dict[str, Any]]) -> str:
    lines = [
        "### Geometric mean of torch.nn's time over ours",
        "",
        "| cell | cases | mean ratio | lowest |",
        "|---|---|---|---|",
    ]
    for kind in ("elman", "gru", "lstm"):
        ratios = [
            row["peers"]["torch.nn"]["ratio"]
            for row in results
            if row["case"]["kind"] == kind
            and (row["case"]["variant"], row["case"]["mode"] == "stream") == ("plain", False)
            and "torch.nn" in row["peers"]
        ]
        if ratios:
            mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
            lines.append(f"| {kind} | {len(ratios)} | {mean:.2f}× | {min(ratios):.2f}× |")
    return "\n".join(lines) if len(lines) > 4 else ""


if __name__ == "__main__":
    sys.exit(main())
