"""Measures, and writes the table into docs/benchmarks.md; see `--help`."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

UNITS, LOOKBACK, HORIZON, CLIENTS = 64, 120, 24, 32
ROOT = Path(__file__).resolve().parents[2]
SERVE = ("-m", "seqloom", "serve", "--quiet", "--watch", "0")


def prepare(folder: Path) -> None:
    """Fit the forecaster, and write it as torch's weights and as an ONNX file; the classifier is the zoo's."""
    import shutil

    import torch

    import seqloom
    from seqloom import zoo
    from seqloom.nn.bridge import to_torch

    rng = np.random.default_rng(0)
    values = 10 + np.sin(np.arange(1500) * np.pi / 12) + rng.normal(scale=0.1, size=1500)
    plain: Any = {"anchor": "none", "normalise": "none", "linear_skip": False, "patch": 1, "epochs": 1}
    model = seqloom.Forecaster(model="gru", units=UNITS, lookback=LOOKBACK, horizon=HORIZON, **plain)
    model.fit(values, target="column_0").save(folder / "forecaster")
    model.to_onnx(folder / "forecaster.onnx")
    network: Any = model.learned_.network
    gru = to_torch(next(m for m in network.modules() if type(m).__name__ == "GRU"))
    torch.save({"gru": gru.state_dict(), "output": network.output.state_dict()}, folder / "torch.pt")
    scaler: Any = model.features_.scaler
    facts = {
        "units": UNITS,
        "horizon": HORIZON,
        "mean": float(np.ravel(scaler.mean)[0]),
        "std": float(np.ravel(scaler.std)[0]),
    }
    (folder / "facts.json").write_text(json.dumps(facts))
    shutil.copytree(zoo.folder("zoo:spam"), folder / "classifier", dirs_exist_ok=True)
    windows = [values[at : at + LOOKBACK] for at in range(0, 1300, 13)]
    ours = [
        {"inputs": [{"name": "past", "shape": [1, LOOKBACK, 1], "datatype": "FP64", "data": window.tolist()}]}
        for window in windows
    ]
    texts = [
        f"Win a free prize {n} now, call {n * 7} today" if n % 2 else f"see you at home at {n}, dear" for n in range(50)
    ]
    bodies = {
        "infer": ours,
        "window": [{"past": window.tolist()} for window in windows],
        "words": [{"text": text} for text in texts],
    }
    for name, lines in bodies.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def servers(folder: Path) -> dict[str, tuple[tuple[str, ...], str, str]]:
    """Name → how it is started (a port is added), the address, and the bodies that it is sent."""
    ours = (*SERVE, f"f={folder / 'forecaster'}", f"c={folder / 'classifier'}", "--port")
    alone, two = (*SERVE, "--batch", "1", *ours[len(SERVE) :]), (*SERVE, "--workers", "2", *ours[len(SERVE) :])
    peer = ("-m", "bench.serving.peers")
    infer, predict = "/v2/models/f/infer", "/v1/models/c/predict"
    return {
        "forecaster: seqloom serve": (ours, infer, "infer"),
        "forecaster: seqloom serve, no batches": (alone, infer, "infer"),
        "forecaster: seqloom serve, 2 workers": (two, infer, "infer"),
        "forecaster: FastAPI and torch": ((*peer, "torch", str(folder)), "/predict", "window"),
        "forecaster: FastAPI and ONNX Runtime": ((*peer, "onnx", str(folder)), "/predict", "window"),
        "classifier: seqloom serve": (ours, predict, "words"),
        "classifier: seqloom serve, no batches": (alone, predict, "words"),
        "classifier: FastAPI and seqloom.load": ((*peer, "classifier", str(folder)), "/predict", "words"),
    }


@contextmanager
def running(arguments: tuple[str, ...]) -> Iterator[int]:
    """The port of a server that runs within the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *arguments, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}") from None
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def asked(port: int, path: str, body: bytes) -> Any:
    """The answer to one request."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def numbers_of(answer: Any) -> list[float]:
    """What an answer of any of the servers says, as numbers."""
    if "outputs" in answer:
        return answer["outputs"][0]["data"]
    if "predictions" in answer:
        answer = answer["predictions"][0]
    found = answer.get("forecast") or answer.get("probabilities")
    return list(found.values()) if isinstance(found, dict) else found


def measure(folder: Path, seconds: float, rounds: int, only: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each server, a round after the other."""
    found: dict[str, list[dict[str, Any]]] = {}
    said: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, (arguments, path, file) in servers(folder).items():
            if only not in name:
                continue
            bodies = folder / f"{file}.jsonl"
            with running(arguments) as port:
                told = numbers_of(asked(port, path, bodies.read_bytes().splitlines()[0]))
                first = said.setdefault(name.split(":")[0], told)
                assert np.allclose(told, first, rtol=1e-3, atol=1e-4), (name, told[:3], first[:3])
                command = [
                    sys.executable,
                    "-m",
                    "bench.serving.load",
                    str(port),
                    path,
                    str(CLIENTS),
                    str(seconds),
                    bodies,
                ]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout)
            assert not row["faults"], (name, row["faults"])
            found.setdefault(name, []).append(row)
            print(
                f"{name:45} {row['per_second']:8.0f} a second, p50 {row['p50']:7.2f} ms, p99 {row['p99']:7.2f} ms",
                flush=True,
            )
    return found


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Medians over the rounds, and each forecaster's ratio to ours."""
    lines = ["| | requests a second | p50, ms | p99, ms | ours is faster by |", "|---|---|---|---|---|"]
    for name, rows in found.items():
        middle = {key: median(row[key] for row in rows) for key in ("per_second", "p50", "p99")}
        ours = found.get(f"{name.split(':')[0]}: seqloom serve")
        ratio = ""
        if ours is not None and "FastAPI" in name:
            ratio = f"{median(a['per_second'] / b['per_second'] for a, b in zip(ours, rows)):.1f}×"
        lines.append(f"| {name} | {middle['per_second']:,.0f} | {middle['p50']:.1f} | {middle['p99']:.1f} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    """Parse, measure, print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "serving")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="servers whose name holds this")
    asked_for = parser.parse_args()
    asked_for.folder.mkdir(parents=True, exist_ok=True)
    if not (asked_for.folder / "words.jsonl").exists():
        prepare(asked_for.folder)
    found = measure(asked_for.folder, asked_for.seconds, asked_for.rounds, asked_for.only)
    (asked_for.folder / "results.json").write_text(json.dumps({"cores": os.cpu_count(), "rows": found}, indent=1))
    print(table(found))


if __name__ == "__main__":
    main()
