"""What is measured: shapes, cells and variants of the recurrent benchmark."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

__all__ = ["HEADLINE", "VARIANTS", "Case", "full_grid", "short_grid"]

VARIANTS = ("plain", "variational", "layer_norm", "mask", "coupled", "peephole", "zoneout")
HEADLINE = (128, 120, 14, 32)


@dataclass(frozen=True)
class Case:
    """One cell of the benchmark: B rows, T steps, I inputs, H units.

    mode: "forward" (no gradient), "train" (forward and backward), "fit" (with the optimizer, as Keras' train_on_batch),
    or "stream" (one step at batch 1 from NumPy).
    """

    kind: str
    batch: int
    time: int
    inputs: int
    units: int
    mode: str = "train"
    variant: str = "plain"

    @property
    def name(self) -> str:
        """The case in one word, as in the tables."""
        shape = f"B{self.batch} T{self.time} I{self.inputs} H{self.units}"
        return f"{self.kind} {shape} {self.mode}" + ("" if self.variant == "plain" else f" {self.variant}")

    @property
    def flops(self) -> float:
        """Multiplications and additions of the matrix products, three times the forward's for a training step."""
        gates = {"elman": 1, "lstm": 4, "gru": 3}[self.kind]
        forward = 2.0 * self.batch * self.time * gates * self.units * (self.inputs + self.units)
        return forward * (1 if self.mode in ("forward", "stream") else 3)

    @property
    def bytes_moved(self) -> float:
        """What a call must move between the processor and its arrays in memory, at least; weights stay near.

        Forward: x in, the states out. A training step: x, the states, their gradient, and what the forward pass keeps
        for the backward pass (the gates, and c of an LSTM), the first of these twice each; 0 for a stream.
        """
        if self.mode == "stream":
            return 0.0
        kept = {"elman": 0, "lstm": 4 if self.variant == "coupled" else 5, "gru": 4}[self.kind] * self.units
        forward = self.inputs + self.units + (kept if self.mode != "forward" else 0)
        numbers = forward if self.mode == "forward" else 2 * forward + self.units
        return 4.0 * self.batch * self.time * numbers

    def to_json(self) -> dict[str, object]:
        """The fields as JSON values."""
        return asdict(self)


def full_grid() -> list[Case]:
    """Every plain cell of the grid, the variants at four shapes, and the headline cases."""
    grid = [
        Case(kind, b, t, i, h, mode)
        for kind, i, h, b, t, mode in product(
            ("elman", "gru", "lstm"),
            (1, 14, 128),
            (32, 64, 128, 256, 512),
            (1, 16, 128, 512),
            (24, 120, 720),
            ("forward", "train"),
        )
        if b * t * h * (i + h) <= 4e10  # larger cells need more memory than the 24 GiB of the machine leaves torch
    ]
    return [*headline(), *variants(), *(case for case in grid if case not in headline())]


def short_grid() -> list[Case]:
    """About 40 cells spread over the grid."""
    spread = [
        Case(kind, b, t, i, h, mode)
        for kind in ("elman", "gru", "lstm")
        for b, t, i, h, mode in (
            (1, 120, 14, 32, "forward"),
            (16, 24, 1, 32, "train"),
            (16, 120, 128, 128, "train"),
            (128, 120, 14, 32, "forward"),
            (128, 24, 14, 64, "train"),
            (128, 120, 128, 128, "train"),
            (32, 64, 256, 512, "train"),
            (512, 24, 14, 64, "train"),
        )
    ]
    return [*headline(), *variants(shapes=(HEADLINE,)), *spread]


def headline() -> list[Case]:
    """The shape of the Jena job: training step, with optimizer, and one step at a time."""
    cells = [Case(kind, *HEADLINE, mode) for kind in ("gru", "lstm", "elman") for mode in ("train", "fit")]
    return [*cells, Case("gru", 1, 1, 14, 32, "stream"), Case("lstm", 1, 1, 14, 64, "stream")]


def variants(
    shapes: tuple[tuple[int, int, int, int], ...] = (
        HEADLINE,
        (16, 120, 14, 64),
        (128, 120, 128, 128),
        (32, 64, 256, 512),
    ),
) -> list[Case]:
    """Training steps with one regulariser or mask each."""
    only_lstm = ("coupled", "peephole")
    return [
        Case(kind, *shape, "train", variant)
        for shape in shapes
        for kind in ("gru", "lstm")
        for variant in VARIANTS[1:]
        if kind == "lstm" or variant not in only_lstm
    ]
