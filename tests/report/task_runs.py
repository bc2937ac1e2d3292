"""Makes run folders as the tasks of sequences and texts write them, with every key of details."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

NAME = "<img src=x onerror=alert(1)>"
WORDS = "the service was slow but what a wonderful film to see twice in one week with friends".split()  # noqa: SIM905


def write_task_run(folder: Path, *, classes: tuple[str, ...] = ("ham", NAME), models: Any = None, **keys: Any) -> Path:
    """Write run.json, metrics.json, details.json and the CSV files into `folder`; `keys` replace details by name."""
    folder.mkdir(parents=True, exist_ok=True)
    names = models or ("majority", "gru", NAME)
    rng = np.random.default_rng(0)
    made = {name: {**details(rng, classes, number), **keys} for number, name in enumerate(names)}
    kept = {name: {key: value for key, value in found.items() if value is not None} for name, found in made.items()}
    _write(folder / "details.json", {"schema": 1, "part": "test", "models": kept})
    _write(folder / "metrics.json", metrics(names))
    _write(folder / "run.json", record(names))
    rows = [["model", "epoch", "step", "learning_rate", "train_loss", "valid_loss", "valid_accuracy"]]
    for name in names[1:]:
        rows += [[name, e, e * 50, 0.001, 0.7 / e, 0.8 / e + 0.02 * e, 1 - 0.5 / e] for e in range(1, 11)]
    with open(folder / "history.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    (folder / "predictions.csv").write_text("split,row,actual\ntest,0,ham\n", encoding="utf-8")
    return folder


def metrics(names: tuple[str, ...]) -> dict[str, Any]:
    """metrics.json: the last model is the best."""
    models = {}
    for number, name in enumerate(names):
        valid = {
            "accuracy": 0.62 + 0.15 * number,
            "f1": 0.3 + 0.3 * number,
            "log_loss": 0.66 / (1 + number),
            "auc": 0.9,
        }
        test = {key: value * (0.97 if key != "log_loss" else 1.1) for key, value in valid.items()}
        models[name] = {
            "kind": "baseline" if name == names[0] else "network",
            "parameters": 4_321 * number,
            "best_epoch": None if not number else 7,
            "valid": valid,
            "test": test,
        }
    return {
        "schema": 1,
        "task": "classify",
        "target": NAME,
        "scores": ["accuracy", "f1", "log_loss", "auc"],
        "lower_is_better": ["log_loss"],
        "examples": {"train": 3_901, "valid": 836, "test": 836},
        "models": models,
        "baseline": names[0],
        "best": names[-1],
        "statements": [f"{name}: accuracy better than {names[0]}." for name in names[1:]],
        "notes": [f"3 texts of {NAME} were empty."],
    }


def record(names: tuple[str, ...]) -> dict[str, Any]:
    """run.json."""
    return {
        "schema": 1,
        "command": "classify",
        "settings": {"data": f"{NAME}.csv", "label": NAME, "model": ",".join(names), "valid": "0.15", "epochs": None},
        "versions": {"seqloom": "0.1.0", "python": "3.11.2"},
        "parameters": {name: {"model": name, "epochs": 20, "label": "x"} for name in names},
        "seed": 0,
        "threads": 2,
        "data": {"source": f"{NAME}.csv", "fingerprint": "ab" * 32, "examples": {"train": 3901}},
        "timings": {"gru": 12.5},
        "started": "2026-01-01T00:00:00",
        "finished": "2026-01-01T00:01:00",
    }


def details(rng: np.random.Generator, classes: tuple[str, ...], number: int = 0) -> dict[str, Any]:
    """Every key of docs/files.md with made-up values."""
    count = len(classes)
    counts = rng.integers(1, 40, (count, count)) + np.diag(rng.integers(100, 400, count))
    curve = np.sort(rng.uniform(0, 1, 60)) ** (1 / (2 + number))
    bins = np.linspace(0.05, 0.95, 10)
    walk = np.cumsum(rng.normal(0, 1, (120, 2)), axis=0)
    belief = np.clip(np.cumsum(rng.normal(0.02, 0.12, len(WORDS))) + 0.4, 0.02, 0.98)
    rest = rng.dirichlet(np.ones(count - 1), len(WORDS)) * (1 - belief[:, None])
    series = {"names": [NAME, "b"], "values": walk.T.round(4).tolist()}
    return {
        "confusion": {"classes": list(classes), "counts": counts.tolist()},
        "per_class": {
            "classes": list(classes),
            **{key: rng.uniform(0.5, 1, count).tolist() for key in ("precision", "recall", "f1")},
            "support": counts.sum(axis=1).tolist(),
        },
        "roc": [
            {
                "class": name,
                "false_positive": [0.0, *np.sort(rng.uniform(0, 1, 60)).tolist(), 1.0],
                "true_positive": [0.0, *curve.tolist(), 1.0],
                "auc": 0.8 + 0.05 * number,
            }
            for name in (classes if count > 2 else classes[1:])
        ],
        "calibration": {
            "predicted": bins.tolist(),
            "observed": np.clip(bins + rng.normal(0, 0.03, 10), 0, 1).tolist(),
            "count": rng.integers(5, 300, 10).tolist(),
            "error": 0.021,
            "what": f"probability of {NAME}",
            "before": {
                "predicted": bins.tolist(),
                "observed": (bins**1.6).tolist(),
                "count": rng.integers(5, 300, 10).tolist(),
                "error": 0.09,
            },
        },
        "mistakes": [
            {"row": n, "actual": classes[0], "predicted": classes[1], "loss": 5.5 - n / 4, **shown}
            for n, shown in enumerate([{"text": f"{NAME} " + " ".join(WORDS) * 3}, {"series": series}] * 4)
        ],
        "belief": [
            {
                "tokens": [NAME, *WORDS[1:]],
                "classes": list(classes),
                "probabilities": np.column_stack([rest[:, :1], belief, rest[:, 1:]]).tolist(),
                "actual": classes[1],
                "predicted": classes[n % 2],
            }
            for n in range(3)
        ],
        "attention": [
            {
                "actual": classes[1],
                "predicted": classes[1],
                "sentences": [
                    {"weight": float(w), "tokens": [NAME, *WORDS[:8]], "weights": rng.dirichlet(np.ones(9)).tolist()}
                    for w in rng.dirichlet(np.ones(4))
                ],
            }
        ],
        "embedding": {
            "words": [NAME, *(f"{WORDS[i % 17]}{i}" for i in range(199))],
            "x": rng.normal(0, 1, 200).tolist(),
            "y": rng.normal(0, 2, 200).tolist(),
            "explained": [0.31, 0.12],
            "group": [classes[i % count] for i in range(200)],
        },
        "spans": [
            {
                "row": 17,
                "tokens": [NAME, *WORDS],
                "actual": [[0, 1, NAME], [3, 5, "quality"]],
                "predicted": [[0, 1, NAME], [7, 9, "person"]],
            }
        ],
        "samples": [
            {
                "prompt": f"Once {NAME}",
                "text": f" upon a time {NAME}\nthere was",
                "settings": {"temperature": 0.8, NAME: 3},
            }
        ],
        "anomalies": {
            "timed": False,
            "column": NAME,
            "threshold": 4.0,
            "series": [
                {
                    "id": name,
                    "at": list(range(120)),
                    "values": [None, *walk[1:, 0].tolist()],
                    "score": [None, *(walk[1:, 0] ** 2).tolist()],
                    "flagged": (walk[:, 0] ** 2 > 4).tolist(),
                    "label": [n % 40 == 7 for n in range(120)],
                }
                for name in ("a", NAME)
            ],
        },
        "precision_recall": {
            "planted": {"recall": [0.1, 0.5, 1.0], "precision": [1.0, 0.8, 0.3]},
            "labelled": {"recall": [0.5, 1.0], "precision": [0.5, 0.2 + 0.1 * number]},
        },
        "alignment": [
            {
                "row": n,
                "source": [NAME, "b", "c"],
                "target": ["x", NAME, "end"][:k],
                "weights": rng.dirichlet(np.ones(3), size=k).tolist(),
                "actual": f"x {NAME}",
                "predicted": "x",
            }
            for n, k in enumerate((3, 1))
        ],
        "film": [
            {
                "row": 3,
                "start": 2,
                "seen": 2,
                "ahead": 1,
                "height": 3,
                "width": 4,
                "channels": channels,
                "pixels": base64.b64encode(rng.integers(0, 256, 4 * 12 * channels, dtype=np.uint8).tobytes()).decode(),
            }
            for channels in (1, 3)
        ],
        "heard": [
            {
                "row": n,
                "shades": rng.integers(0, 256, size=(k, 8)).tolist(),
                "seconds": 0.01 * n,
                "spans": [{"token": NAME, "first": 2, "last": 5}, {"token": " ", "first": 7, "last": 8}][:k],
                "actual": f"x {NAME}",
                "predicted": "x",
            }
            for n, k in enumerate((20, 60))
        ],
        "looked": [
            {
                "row": 2,
                "height": 3,
                "width": 4,
                "channels": channels,
                "pixels": base64.b64encode(rng.integers(0, 256, 12 * channels, dtype=np.uint8).tobytes()).decode(),
                "places": [2, 2],
                "tokens": [NAME, "end"],
                "weights": rng.dirichlet(np.ones(4), size=2).tolist(),
                "actual": NAME,
                "predicted": f"a {NAME}",
            }
            for channels in (1, 3)
        ],
        "music": [
            {"steps": [[(7 * n) % 88, 40] for n in range(30)], "given": 2, "settings": {"temperature": 0.7, NAME: 1}},
            {"steps": [[], [], []], "settings": {}},
        ],
        "records": [
            {
                "row": f"{NAME}{n}",
                "times": [0.0, 1.5, 4.0],
                "unit": "h",
                "names": [NAME, "b"],
                "values": [[1.0, None], [None, 2.0], [3.0, 4.0]],
                "scaled": [[-1.5, None], [None, 0.0], [0.5, 1.5]],
                "risk": [0.1, 0.2, 0.6],
                "onset": 5.0 if n else None,
                "threshold": 0.4,
                "actual": classes[n],
            }
            for n in range(2)
        ],
        "frames": [
            {"row": n, "actual": walk[:, 0].tolist(), "predicted": (walk[:, 0] + rng.normal(0, 0.4, 120)).tolist()}
            for n in range(3)
        ],
        "scatter": {"actual": walk[:, 0].tolist(), "predicted": (walk[:, 0] + rng.normal(0, 0.5, 120)).tolist()},
        "tables": [
            {"title": NAME, "reading": "How often.", "columns": ["word", NAME], "rows": [[NAME, 3], ["b", 0.25]]}
        ],
        "facts": {"vocabulary": 12_345, f"words {NAME}": "3.2 % unknown", "mean length": 15.25},
    }


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
