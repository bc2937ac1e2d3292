"""statsforecast's methods, run by the peers' own Python: `python statistical_worker.py FOLDER`.

The folder holds `job.json` (method, season, horizon, levels) and `job.npz` (the series up to their origins: nothing
behind an origin is there). The answer goes beside them: `forecasts` (S, H) and bounds by level in `answer.npz`, seconds
and versions in `answer.json`. Imports nothing of this project.
"""

# pyright: reportMissingImports=false
# The peers are not installed where the project is checked.

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

LONGEST_SEASON = 24  # of AutoARIMA: a longer one takes hours
APPROXIMATE_FROM = 500  # rows from which AutoARIMA compares orders by their conditional sum of squares


def main(folder: Path) -> None:
    """Do the job."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with np.load(folder / "job.npz", allow_pickle=False) as arrays:
        series = [arrays[f"series_{number}"] for number in range(len(arrays.files))]
    levels = job["levels"]
    found: dict[str, list[np.ndarray]] = {"forecasts": []}
    began = time.perf_counter()
    for values in series:
        said = _model(job["method"], job["season"], len(values)).forecast(values, job["horizon"], level=list(levels))
        found["forecasts"].append(said["mean"])
        for level in levels:
            found.setdefault(f"low_{level}", []).append(said[f"lo-{level}"])
            found.setdefault(f"high_{level}", []).append(said[f"hi-{level}"])
    seconds = time.perf_counter() - began
    answer: dict[str, Any] = {name: np.array(rows, dtype=np.float64) for name, rows in found.items()}
    np.savez(folder / "answer.npz", **answer)
    facts = {"seconds": seconds, "versions": {"statsforecast": version("statsforecast")}}
    (folder / "answer.json").write_text(json.dumps(facts), encoding="utf-8")


def _model(method: str, season: int, rows: int) -> Any:
    from statsforecast import models

    if method == "AutoARIMA":
        seasonal = season if season <= LONGEST_SEASON else 1
        return models.AutoARIMA(season_length=seasonal, approximation=rows > APPROXIMATE_FROM)
    if method == "SeasonalNaive":
        return models.SeasonalNaive(season_length=season) if season > 1 else models.Naive()
    if method in ("AutoETS", "AutoTheta"):
        return getattr(models, method)(season_length=season)
    raise SystemExit(f"method: expected AutoETS, AutoTheta, AutoARIMA or SeasonalNaive, got {method!r}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
