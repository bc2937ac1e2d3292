"""The cell's options: what is refused, by which name, with which reason."""

from __future__ import annotations

import pytest

from seqloom.errors import SettingError
from seqloom.ops.cell import Cell
from seqloom.ops.kinds import KINDS

REFUSED = [
    ("elman", {"peephole": True}, "peephole=True is not possible for a elman cell: peepholes look at the memory cell"),
    ("gru", {"coupled": True}, "coupled=True is not possible for a gru cell"),
    ("gru", {"cell_clip": 1.0}, "cell_clip=1.0 is not possible"),
    ("jordan", {"projection": 3}, "projection=3 is not possible"),
    ("gru", {"zoneout_cell": 0.1}, "zoneout_cell=0.1 is not possible"),
    ("lstm", {"reset_after": False}, "the reset gate belongs to the GRU"),
    ("elman", {"gate_activation": "relu"}, "it has no gates"),
    ("jordan", {"gate_activation": "relu"}, "it has no gates"),
    ("elman", {"candidate_dropout": 0.1}, "it has no candidate"),
    ("jordan", {"layer_norm": True}, "layer_norm=True is not possible for a jordan cell"),
    ("jordan", {"zoneout": 0.1}, "zoneout=0.1 is not possible for a jordan cell"),
    ("lstm", {"output_activation": "tanh"}, "only the Jordan cell"),
    ("gru", {"layer_norm": True, "reset_after": False}, "layer_norm=True is not possible with reset_after=False"),
    ("lstn", {}, "kind must be one of elman, jordan, lstm, gru, not 'lstn'. Did you mean 'lstm'?"),
    ("gru", {"activation": "tanhh"}, "Did you mean 'tanh'?"),
    ("gru", {"gate_activation": "prelu"}, "gate_activation must be a callable or one of"),
    ("gru", {"activation": 3}, "activation must be a callable or one of"),
    ("lstm", {"zoneout": 1.0}, "zoneout is a probability: at least 0 and below 1, not 1.0"),
    ("lstm", {"candidate_dropout": -0.1}, "candidate_dropout is a probability"),
    ("lstm", {"zoneout_cell": float("nan")}, "zoneout_cell is a probability"),
    ("lstm", {"cell_clip": 0.0}, "cell_clip must be above 0"),
    ("lstm", {"projection": 0}, "projection must be a whole number"),
    ("lstm", {"projection": 1.5}, "projection must be a whole number"),
    ("lstm", {"epsilon": 0.0}, "epsilon must be above 0"),
]


@pytest.mark.parametrize(("kind", "options", "message"), REFUSED)
def test_refused_by_name(kind, options, message):
    with pytest.raises(SettingError) as caught:
        Cell(kind, **options)
    assert message in str(caught.value)


def test_gates():
    assert {kind: Cell(kind).gate_names for kind in KINDS} == {
        "elman": ("h",),
        "jordan": ("h",),
        "lstm": ("i", "f", "g", "o"),
        "gru": ("r", "z", "n"),
    }
    assert Cell("lstm", coupled=True).gate_names == ("f", "g", "o")
    for cell in (*(Cell(kind) for kind in KINDS), Cell("lstm", coupled=True)):
        assert cell.gates == len(cell.gate_names)


def test_frozen_and_equal():
    assert Cell("gru", zoneout=0.1) == Cell("gru", zoneout=0.1)
    assert hash(Cell("gru")) == hash(Cell("gru"))
    assert Cell("gru") != Cell("gru", reset_after=False)
    with pytest.raises(AttributeError):
        Cell("gru").zoneout = 0.5  # pyright: ignore[reportAttributeAccessIssue]


def test_what_engines_ask():
    assert Cell("gru").plain_activations
    assert not Cell("gru", activation="prelu").plain_activations
    assert not Cell("gru", gate_activation=lambda a: a).plain_activations
    assert not Cell("lstm").random_per_step
    assert Cell("lstm", zoneout_cell=0.1).random_per_step
    assert Cell("lstm", candidate_dropout=0.1).random_per_step
