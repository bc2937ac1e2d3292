"""The same models in FastAPI, as one would write them: PyTorch or ONNX Runtime behind a function of a Pydantic model.

`python -m bench.serving.peers KIND FOLDER PORT`; FOLDER holds what `bench.serving` wrote there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Window(BaseModel):
    """The last rows of a series."""

    past: list[float]


class Words(BaseModel):
    """A text."""

    text: str


def torch_forecaster(folder: Path) -> FastAPI:
    """A torch.nn.GRU and a linear layer with the forecaster's weights."""
    import torch
    from torch import nn

    facts = json.loads((folder / "facts.json").read_text())
    gru, output = nn.GRU(1, facts["units"], batch_first=True), nn.Linear(facts["units"], facts["horizon"])
    weights: Any = torch.load(folder / "torch.pt", weights_only=True)
    gru.load_state_dict(weights["gru"])
    output.load_state_dict(weights["output"])
    app = FastAPI()

    @app.post("/predict")
    def predict(window: Window) -> dict[str, list[float]]:
        with torch.no_grad():
            x = (torch.tensor(window.past)[None, :, None] - facts["mean"]) / facts["std"]
            steps, _ = gru(x)
            y = output(steps[:, -1])[0] * facts["std"] + facts["mean"]
        return {"forecast": y.tolist()}

    return app


def onnx_forecaster(folder: Path) -> FastAPI:
    """The forecaster's ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "forecaster.onnx")
    app = FastAPI()

    @app.post("/predict")
    def predict(window: Window) -> dict[str, list[float]]:
        past = np.array(window.past, dtype=np.float64)[None, :, None]
        found: Any = session.run(["forecast"], {"past": past})
        return {"forecast": found[0][0].tolist()}

    return app


def torch_classifier(folder: Path) -> FastAPI:
    """The text classifier as its library predicts, one text at a time."""
    import seqloom

    model = seqloom.load(folder / "classifier")
    app = FastAPI()

    @app.post("/predict")
    def predict(words: Words) -> dict[str, Any]:
        p = model.predict_proba([words.text])[0]
        return {"probabilities": dict(zip(map(str, model.classes_), p.tolist()))}

    return app


KINDS = {"torch": torch_forecaster, "onnx": onnx_forecaster, "classifier": torch_classifier}

if __name__ == "__main__":
    kind, place, port = sys.argv[1:]
    uvicorn.run(KINDS[kind](Path(place)), host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
