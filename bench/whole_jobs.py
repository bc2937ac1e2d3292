"""Where the time of whole commands goes: `python -m bench.whole_jobs [JOB …] [--runs 3]` prints a table of medians.

A job is a command in a process of its own. torch: its import; package: that of seqloom, its command line and report;
models: fits and scores, the timings of run.json; report: the page and its pictures; rest: reading, choosing, refit,
forecast and files. In seconds; CPU over all threads; the peak of the memory in MB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PHASES = ("torch", "package", "models", "report", "rest", "whole", "cpu", "memory")
PROGRAM = """
import json, resource, sys, time
began = time.perf_counter()
import torch
torch_done = time.perf_counter()
import seqloom.app.commands, seqloom.app.showing, seqloom.tasks.comparison, seqloom.report.page
from seqloom import report
from seqloom.app.main import run
package_done = time.perf_counter()
build, drawn = report.build, []
def timed(folder):
    start = time.perf_counter()
    try:
        return build(folder)
    finally:
        drawn.append(time.perf_counter() - start)
report.build = timed
told, sys.argv = sys.argv[1], ["seqloom", *sys.argv[2:]]
try:
    run()
except SystemExit as done:
    assert not done.code, done.code
used = resource.getrusage(resource.RUSAGE_SELF)
whole = time.perf_counter() - began
phases = {"torch": torch_done - began, "package": package_done - torch_done, "report": sum(drawn), "whole": whole,
          "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1000}
open(told, "w").write(json.dumps(phases))
"""


def jobs(folder: Path) -> dict[str, list[str]]:
    """The commands by name; those on the texts of SEQLOOM_DATA only where that is set."""
    table = folder / "rows.csv"
    values = np.random.default_rng(3).normal(size=1000).cumsum()
    table.write_text("hour,value\n" + "".join(f"{at},{value:.3f}\n" for at, value in enumerate(values)))
    found = {
        "naive, 1,000 rows": ["forecast", str(table), "--target", "value", "--model", "naive"],
        "CO2, preset fast": ["forecast", "--preset", "fast"],
        "CO2": ["forecast"],
    }
    if data := os.environ.get("SEQLOOM_DATA"):
        atis = [f"{data}/atis/atis.train.iob.gz", "--test", f"{data}/atis/atis.test.iob.gz"]
        found |= {
            "classify, SMS": ["classify", f"{data}/sms_spam/SMSSpamCollection.gz", "--model", "bow,gru"],
            "tag, ATIS": ["tag", *atis, "--model", "memoryless,elman", "--epochs", "2"],
            "lm, Shakespeare": ["lm", f"{data}/tinyshakespeare/input.txt.gz", "--level", "char", "--epochs", "1"],
        }
    return found


def measured(command: list[str], folder: Path) -> dict[str, float]:
    """The phases of one run, in seconds and MB."""
    out, told = folder / "run", folder / "phases.json"
    line = [sys.executable, "-c", PROGRAM, str(told), *command, "--out", str(out), "--quiet"]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    phases: dict[str, float] = json.loads(told.read_text())
    phases["models"] = sum(json.loads((out / "run.json").read_text())["timings"].values())
    phases["rest"] = phases["whole"] - sum(phases[name] for name in ("torch", "package", "models", "report"))
    return phases


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", nargs="*", help="names of jobs, all by default")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    print("| job | " + " | ".join(PHASES) + " |\n|---" + "|---" * len(PHASES) + "|", flush=True)
    with tempfile.TemporaryDirectory() as place:
        for name, command in jobs(Path(place)).items():
            if asked.job and name not in asked.job:
                continue
            runs = []
            for _ in range(asked.runs):
                with tempfile.TemporaryDirectory() as folder:
                    runs.append(measured(command, Path(folder)))
            cells = [f"{statistics.median(run[phase] for run in runs):,.1f}" for phase in PHASES]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
