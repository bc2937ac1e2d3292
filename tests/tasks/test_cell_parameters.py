"""Layer norm, zoneout, peepholes, coupled gates and weight dropout by name, in every estimator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
from seqloom import nn
from seqloom.errors import SettingError
from seqloom.tasks.cell_parameters import CELL

FEW: dict[str, Any] = {"epochs": 1, "units": 3}
STEPS = [np.random.default_rng(n).normal(size=(5, 2)).astype(np.float32) for n in range(16)]
WAVE = np.sin(np.arange(120) / 4)
SENTENCES = [["fly", "to", "boston"], ["to", "denver", "please"]] * 8
TAGS = [["O", "O", "B-c"], ["O", "B-c", "O"]] * 8
CASES: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "Forecaster": (seqloom.Forecaster, (WAVE,), {"target": "column_0"}),
    "SequenceClassifier": (seqloom.SequenceClassifier, (STEPS, ["a", "b"] * 8), {}),
    "SequenceRegressor": (seqloom.SequenceRegressor, (STEPS, np.arange(16.0)), {}),
    "FrameModel": (seqloom.FrameModel, (STEPS, [x[:, :1] for x in STEPS]), {}),
    "TextClassifier": (seqloom.TextClassifier, (["free prize now", "see you home"] * 8, ["s", "h"] * 8), {}),
    "SequenceTagger": (seqloom.SequenceTagger, (SENTENCES, TAGS), {}),
    "LanguageModel": (seqloom.LanguageModel, ("the cat sat\n" * 40,), {}),
}


def made(name: str, **options: Any) -> Any:
    kind = CASES[name][0]
    own = {"lookback": 8, "horizon": 2} if name == "Forecaster" else {}
    return kind(model="lstm", **FEW, **own, **options)


def recurrent_of(model: Any) -> nn.Recurrent:
    network = next(found for found in vars(model).values() if hasattr(found, "network") or hasattr(found, "parameters"))
    network = getattr(network, "network", network)
    return next(part for part in network.modules() if isinstance(part, nn.Recurrent))


@pytest.mark.parametrize("name", CASES)
def test_the_cell_has_what_was_asked_for_and_is_saved(name: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"layer_norm": True, "zoneout": 0.1, "peephole": True, "coupled": True}
    asked |= {"weight_dropout": 0.2}
    kind, data, columns = CASES[name]
    model = made(name, **asked).fit(*data, **columns)
    options = recurrent_of(model).options
    assert {option: getattr(options, option) for option in CELL} == asked
    model.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert isinstance(again, kind)
    assert {option: again.get_params()[option] for option in CELL} == asked
    assert vars(recurrent_of(again).options)["peephole"] is True
    shown = [model, again]
    if name == "Forecaster":
        first, second = (found.predict()["column_0"] for found in shown)
    elif name == "LanguageModel":
        first, second = ([p for _, p in found.score("the cat sat\n")] for found in shown)
    else:
        first, second = (found.predict(data[0]) for found in shown)
    assert str(first) == str(second)


@pytest.mark.parametrize("name", CASES)
def test_a_cell_without_them_refuses_by_name(name: str) -> None:
    _, data, columns = CASES[name]
    with pytest.raises(SettingError, match=r"peephole"):
        made(name, peephole=True).set_params(model="gru").fit(*data, **columns)
    for option in CELL:
        value = True if option in ("layer_norm", "peephole", "coupled") else 1.0
        bad = value if isinstance(value, float) else "yes"
        with pytest.raises(SettingError, match=f"^{option}: expected"):
            made(name, **{option: bad}).fit(*data, **columns)


@pytest.mark.parametrize(
    ("name", "model"), [("SequenceClassifier", "tcn"), ("TextClassifier", "conv"), ("SequenceTagger", "jordan")]
)
def test_other_networks_have_no_such_cell(name: str, model: str) -> None:
    _, data, columns = CASES[name]
    with pytest.raises(SettingError, match=f"layer_norm: '{model}' has no such cell; use rnn, gru or lstm"):
        made(name, layer_norm=True).set_params(model=model).fit(*data, **columns)
