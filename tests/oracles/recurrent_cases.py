"""Random calls of the scan: a cell with any allowed options, random unequal weights, states and masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from oracles.numpy_recurrent import GATES, Twin, scalar_philox
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.kinds import KINDS

ACTIVATIONS = ("tanh", "sigmoid", "relu", "leaky_relu", "elu", "softsign", "softplus", "identity")
GATE_ACTIVATIONS = ("sigmoid", "hard_sigmoid", "hard_sigmoid_02", "softsign", "tanh")


@dataclass(frozen=True)
class Case:
    """One call: float64 arrays, to be cast."""

    cell: Cell
    x: np.ndarray
    h: np.ndarray
    c: np.ndarray | None
    weights: dict[str, np.ndarray]
    keywords: dict[str, Any]

    def call(
        self, scan: Any, dtype: torch.dtype = torch.float64, **more: Any
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Run a scan; return the outputs (y, h[, c]) and the tensors to differentiate, in a fixed order."""

        def tensor(a: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(a).to(dtype).clone().requires_grad_()

        x, h = tensor(self.x), tensor(self.h)
        c = None if self.c is None else tensor(self.c)
        arrays = {name: tensor(a) for name, a in self.weights.items()}
        keywords = dict(self.keywords)
        for name in ("input_mask", "recurrent_mask"):
            if keywords.get(name) is not None:
                keywords[name] = torch.from_numpy(keywords[name]).to(dtype)
        if keywords.get("mask") is not None:
            keywords["mask"] = torch.from_numpy(keywords["mask"])
        y, state = scan(self.cell, x, h if c is None else (h, c), Weights(**arrays), **keywords, **more)
        outputs = [y, *(state if isinstance(state, tuple) else (state,))]
        return outputs, [x, h, *([] if c is None else [c]), *arrays.values()]

    def twin(self) -> list[np.ndarray]:
        """The same by the NumPy twin."""
        cell, k = self.cell, self.keywords
        options = (
            "gate_activation",
            "output_activation",
            "reset_after",
            "coupled",
            "layer_norm",
            "epsilon",
            "cell_clip",
        )
        activation = cell.activation if cell.activation != "prelu" else "tanh"
        twin = Twin(
            cell.kind, self.weights, activation=str(activation), **{name: getattr(cell, name) for name in options}
        )
        draws = self._draws(twin.size)
        y, h, c = twin.run(
            self.x,
            self.h,
            self.c,
            mask=k.get("mask"),
            reverse=k.get("reverse", False),
            d_x=k.get("input_mask"),
            d_h=k.get("recurrent_mask"),
            **draws,
        )
        if k.get("last_only"):
            y = h
        return [y, h] if c is None else [y, h, c]

    def _draws(self, hidden: int) -> dict[str, Any]:
        cell, random = self.cell, self.keywords.get("rng") or StepRandom(0)
        if not self.keywords.get("training"):
            return {"zeta_h": cell.zoneout or None, "zeta_c": cell.zoneout_cell or None}
        batch, steps = self.x.shape[:2]
        found: dict[str, Any] = {}
        wanted = (
            ("zeta_h", 0, self.h.shape[1], cell.zoneout),
            ("zeta_c", 1, hidden, cell.zoneout_cell),
            ("drop", 2, hidden, cell.candidate_dropout),
        )
        for name, stream, units, probability in wanted:
            if not probability:
                continue
            seed, call = random.seed, random.call
            key = scalar_philox((call % 2**32, call >> 32, random.layer, 0x5EC70017), (seed % 2**32, seed >> 32))[:2]
            drawn = np.zeros((batch, steps, units))
            for b, t, u in np.ndindex(drawn.shape):
                word = scalar_philox((u // 4, t, b, stream), key)[u % 4]
                drawn[b, t, u] = word < round(probability * 2**32)
            found[name] = (1 - drawn) / (1 - probability) if name == "drop" else drawn
        return found

    def but(self, **changes: Any) -> Case:
        """The same call with other arrays or keywords."""
        keywords = {**self.keywords, **{k: changes.pop(k) for k in list(changes) if k in self.keywords}}
        return replace(self, keywords=keywords, **changes)


def random_cell(rng: np.random.Generator, kind: str | None = None) -> Cell:
    """A cell with any allowed combination of options."""
    kind = kind or str(rng.choice(list(KINDS)))
    coin = lambda p=0.3: bool(rng.random() < p)  # noqa: E731
    options: dict[str, Any] = {"activation": str(rng.choice([*ACTIVATIONS, "prelu"])) if coin(0.5) else "tanh"}
    if kind in ("lstm", "gru"):
        options["gate_activation"] = str(rng.choice(GATE_ACTIVATIONS)) if coin() else "sigmoid"
        options["candidate_dropout"] = 0.3 if coin() else 0.0
    if kind == "jordan":
        options["output_activation"] = str(rng.choice(ACTIVATIONS)) if coin() else "sigmoid"
    else:
        options["layer_norm"] = coin()
        options["zoneout"] = 0.4 if coin() else 0.0
    if kind == "gru" and not options["layer_norm"]:
        options["reset_after"] = not coin(0.4)
    if kind == "lstm":
        options |= {"coupled": coin(), "peephole": coin(), "cell_clip": 0.3 if coin() else None}
        options |= {"projection": 2 if coin() else None, "zoneout_cell": 0.2 if coin() else 0.0}
    return Cell(kind, **options)


def random_case(
    seed: int, kind: str | None = None, cell: Cell | None = None, sizes: tuple[int, int, int, int] | None = None
) -> Case:
    """A random call; sizes (batch, steps, inputs, hidden) small and unequal where not given."""
    rng = np.random.default_rng(seed)
    cell = cell or random_cell(rng, kind)
    batch, steps, inputs, hidden = (int(rng.integers(1, n)) for n in (5, 7, 5, 7))
    hidden += 1 if cell.layer_norm else 0  # the norm of one number is nothing
    batch, steps, inputs, hidden = sizes or (batch, steps, inputs, hidden)
    width = cell.projection or hidden
    if cell.kind == "jordan":
        width = int(rng.integers(1, 4))
    gates = 3 if cell.coupled else len(GATES[cell.kind])
    coin = lambda p=0.5: bool(rng.random() < p)  # noqa: E731

    def normal(*shape: int, mean: float = 0.0) -> np.ndarray:
        return mean + 0.6 * rng.standard_normal(shape)

    weights = {"w_x": normal(inputs, gates * hidden), "w_h": normal(width, gates * hidden)}
    if coin(0.8):
        weights["bias"] = normal(gates * hidden)
        if coin():
            weights["bias_h"] = normal(gates * hidden)
    if cell.layer_norm:
        weights["gain_x"], weights["gain_h"] = normal(gates * hidden, mean=1), normal(gates * hidden, mean=1)
        if cell.kind == "lstm":
            weights["gain_c"] = normal(hidden, mean=1)
    if cell.peephole:
        weights["peephole"] = normal(2 if cell.coupled else 3, hidden)
    if cell.projection is not None:
        weights["w_p"] = normal(hidden, width)
    if cell.kind == "jordan":
        weights["w_out"] = normal(hidden, width)
        if coin():
            weights["bias_out"] = normal(width)
    if cell.activation == "prelu":
        weights["slope"] = normal(hidden, mean=0.3)

    def dropped(units: int) -> np.ndarray | None:
        shape = (batch, gates, units) if coin(0.3) else (batch, units)
        return (rng.random(shape) < 0.7) / 0.7 if coin() else None

    keywords = {
        "mask": rng.random((batch, steps)) < 0.6 if coin() else None,
        "reverse": coin(),
        "input_mask": dropped(inputs),
        "recurrent_mask": dropped(width),
        "training": coin(),
        "last_only": coin(0.25),
        "rng": StepRandom(int(rng.integers(2**63)), int(rng.integers(2**40)), int(rng.integers(8))),
    }
    c = normal(batch, hidden) if cell.kind == "lstm" else None
    return Case(cell, normal(batch, steps, inputs), normal(batch, width), c, weights, keywords)
