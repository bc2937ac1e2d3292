"""A training command under torchrun: one run by two processes, and what happens where one is lost."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import Command

pytestmark = pytest.mark.slow
COMMAND = [
    "--model",
    "gru",
    "--no-linear-skip",
    "--lookback",
    "12",
    "--horizon",
    "4",
    "--units",
    "4",
    "--no-refit",
    "--quiet",
]


WITHOUT_REPORT = """
import seqloom.report
seqloom.report.build = lambda folder: folder
from seqloom.app.main import run
run()
"""
"""A program that is the command, but that draws no report: drawing takes longer than this training."""


def torchrun(*arguments: str, folder: Path, restarts: int = 0, program: Path | None = None) -> subprocess.Popen[str]:
    """`torchrun --nproc-per-node 2 -m seqloom …` in `folder`, one thread each; or `program` in place of the module."""
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), *([str(program)] if program else ["-m", "seqloom"]), *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=240)
    return process.returncode, said


@pytest.fixture
def table(tmp_path: Path) -> Path:
    t = np.arange(160)
    rows = 10 + np.sin(t * 2 * np.pi / 12) + np.random.default_rng(0).normal(0, 0.1, len(t))
    path = tmp_path / "rows.csv"
    path.write_text("y\n" + "".join(f"{v:.4f}\n" for v in rows))
    return path


@pytest.mark.usefixtures("one_thread", "no_report")
def test_two_processes_make_one_run(table: Path, command: Command):
    folder = table.parent
    program = folder / "program.py"
    program.write_text(WITHOUT_REPORT)
    asked = [*COMMAND, "--epochs", "3"]
    code, said = ended(torchrun("forecast", "rows.csv", "--out", "two", *asked, folder=folder, program=program))
    assert code == 0, said
    assert said.count("Report:") <= 1
    done = command("forecast", table, "--out", folder / "one", *asked)
    assert done.code == 0, done.err
    assert {p.name for p in (folder / "two").iterdir()} == {p.name for p in (folder / "one").iterdir()}
    losses = [[float(row["train_loss"]) for row in history(folder / name)] for name in ("one", "two")]
    assert np.allclose(losses[0], losses[1], rtol=1e-4)
    # The processes share each batch: their sums are rounded otherwise, so equal bits would mean that they don't.
    assert losses[0] != losses[1]


def history(run: Path) -> list[dict[str, str]]:
    """The rows of history.csv."""
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.deep
def test_a_lost_process_ends_the_run_in_one_sentence_and_it_goes_on(table: Path):
    folder = table.parent
    asked = ["forecast", "rows.csv", "--out", "run", *COMMAND, "--epochs", "30", "--patience", "30"]
    process = torchrun(*asked, folder=folder)
    checkpoints = folder / "run" / "checkpoint" / "gru"
    for _ in range(1200):
        if process.poll() is not None or (checkpoints.is_dir() and any(checkpoints.glob("*.safetensors"))):
            break
        time.sleep(0.1)
    os.kill(_rank(process.pid, 1), signal.SIGKILL)
    code, said = ended(process)
    assert code != 0
    sentence = "error: A process of this training was lost or told to end, so the others stopped."
    assert said.count(sentence) == 1, said
    assert "-m seqloom forecast --resume run" in said
    assert not (folder / "run" / "model").exists()
    code, said = ended(torchrun("forecast", "--resume", "run", "--quiet", folder=folder))
    assert code == 0, said
    code, said = ended(torchrun(*asked[:3], "whole", *asked[4:], folder=folder))
    assert code == 0, said
    assert (folder / "run" / "history.csv").read_bytes() == (folder / "whole" / "history.csv").read_bytes()
    for name in ("metrics.json", "predictions.csv"):
        assert (folder / "run" / name).read_bytes() == (folder / "whole" / name).read_bytes()


def test_a_mistake_is_told_once(table: Path):
    code, said = ended(torchrun("forecast", "rows.csv", "--target", "z", folder=table.parent))
    assert code != 0
    assert said.count("error:") - said.count("error_file") <= 2
    assert sum(line.startswith("error: ") for line in said.splitlines()) == 1, said


@pytest.fixture
def two_nodes() -> Iterator[tuple[tuple[str, str], ...]]:
    """Two network namespaces with a cable between them: (namespace, its interface)."""
    ip = shutil.which("ip")
    if ip is None or os.geteuid() != 0:
        pytest.skip("two nodes on one machine need ip and the rights to make network namespaces")
    tag = f"{os.getpid() % 100000}"
    nodes = tuple((f"seqloom{side}{tag}", f"sl{side}{tag}") for side in "ab")
    made: list[str] = []
    try:
        for space, _ in nodes:
            if subprocess.run([ip, "netns", "add", space], capture_output=True, check=False).returncode:
                pytest.skip("this machine makes no network namespaces")
            made.append(space)
        (first, cable), (second, end) = nodes
        cabled = ["link", "add", cable, "netns", first, "type", "veth", "peer", "name", end, "netns", second]
        if subprocess.run([ip, *cabled], capture_output=True, check=False).returncode:
            pytest.skip("this machine makes no virtual network interfaces")
        for number, (space, interface) in enumerate(nodes, 1):
            address = ["addr", "add", f"10.213.77.{number}/24", "dev", interface]
            for command in (address, ["link", "set", interface, "up"], ["link", "set", "lo", "up"]):
                subprocess.run([ip, "-n", space, *command], check=True)
        yield nodes
    finally:
        for space in made:
            subprocess.run([ip, "netns", "del", space], check=False)


@pytest.mark.deep
def test_two_nodes_make_one_run(table: Path, two_nodes: tuple[tuple[str, str], ...]):
    folder = table.parent
    processes = []
    for rank, (space, interface) in enumerate(two_nodes):
        environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
        environment |= {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": interface}
        command = ["ip", "netns", "exec", space, sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
        command += ["--node-rank", str(rank), "--nproc-per-node", "1", "--master-addr", "10.213.77.1"]
        command += ["--master-port", "29511", "-m", "seqloom", "forecast", "rows.csv", "--out", "nodes", *COMMAND]
        process = subprocess.Popen(
            [*command, "--epochs", "3"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        processes.append(process)
    said = [ended(process) for process in processes]
    assert [code for code, _ in said] == [0, 0], said
    assert "gru" in said[0][1]
    assert "gru" not in said[1][1]
    assert len(history(folder / "nodes")) == 3


def _rank(parent: int, rank: int) -> int:
    """The process of that rank among torchrun's children."""
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else ()
            if (
                fields
                and int(fields[1]) == parent
                and f"RANK={rank}".encode() in (entry / "environ").read_bytes().split(b"\0")
            ):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError(f"torchrun has no process of rank {rank}")
