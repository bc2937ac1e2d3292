"""The convolutional benchmark: TCNs in their published settings, ours beside torch's as their authors wrote them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["CONV_PEERS", "ConvCase", "conv_cases", "conv_tables"]

SETTINGS = {  # B, T, channels in, of each level, kernel, dropout (arXiv 1803.01271, table 2 and its programs)
    "sequential MNIST": (64, 784, 1, (25,) * 8, 7, 0.05),
    "14 columns, 5 levels": (128, 120, 14, (32,) * 5, 3, 0.0),
    "copy memory": (32, 1020, 1, (10,) * 8, 8, 0.05),
    "adding": (32, 600, 2, (24,) * 8, 8, 0.0),
    "JSB chorales": (1, 60, 88, (150,) * 2, 3, 0.5),
    "Nottingham": (1, 200, 88, (150,) * 4, 6, 0.2),
    "PTB words": (16, 80, 600, (600,) * 4, 3, 0.5),
}
LAST = ("sequential MNIST", "adding")  # whose programs put a linear layer on the last step alone


@dataclass(frozen=True)
class ConvCase:
    """A TCN of the benchmark: B rows, T steps; mode "train" (forward and backward), "forward" or "stream".

    last: only the output of the last step is used, as the published programs of those settings do.
    """

    setting: str
    mode: str = "train"
    last: bool = False
    kind: str = "tcn"
    variant: str = "plain"

    @property
    def sizes(self) -> tuple[int, int, int, tuple[int, ...], int, float]:
        """B, T, channels in, of each level, kernel, dropout."""
        return SETTINGS[self.setting]

    @property
    def name(self) -> str:
        """The case in one line, as in the tables."""
        batch, time, inputs, channels, kernel, _ = self.sizes
        shape = f"{inputs}→{len(channels)}×{channels[0]} k{kernel}"
        where = "" if self.mode == "stream" else f" B{batch} T{time}"
        where += ", last output" if self.last else ""
        return f"tcn {self.setting}{where} {shape} {self.mode}"

    @property
    def flops(self) -> float:
        """Multiplications and additions of the products, three times the forward's for a training step."""
        batch, time, inputs, channels, kernel, _ = self.sizes
        steps = 1 if self.mode == "stream" else batch * time
        total, width = 0, inputs
        for out in channels:
            total += kernel * (width * out + out * out) + (width * out if width != out else 0)
            width = out
        return 2.0 * steps * total * (3 if self.mode == "train" else 1)

    def to_json(self) -> dict[str, object]:
        """The fields as JSON values."""
        return asdict(self)


def conv_cases() -> list[ConvCase]:
    """The training step of every setting; forward alone and one step at a time of two of them."""
    few = ("sequential MNIST", "14 columns, 5 levels")
    steps = [
        ConvCase(setting, last=last) for setting in SETTINGS for last in (True, False) if setting in LAST or not last
    ]
    return steps + [ConvCase(setting, mode) for mode in ("forward", "stream") for setting in few]


def ours(case: ConvCase) -> Callable[[], Any]:
    """`seqloom.nn.TCN`."""
    from seqloom import nn

    _, _, inputs, channels, kernel, dropout = case.sizes
    layer = nn.TCN(inputs, list(channels), kernel, dropout, seed=1)
    if case.mode != "stream":
        return _Step(layer, case)
    step = layer.eval().stream().step
    x = np.ones((1, inputs), dtype=np.float32)

    def run() -> None:
        for _ in range(1000):
            step(x)

    return run


def published(case: ConvCase) -> Callable[[], Any]:
    """Conv1d with padding on both sides, weight norm, the surplus cut off, ReLU, dropout, a residual."""
    import torch

    from bench.published_tcn import PublishedTCN, RingTCN

    torch.manual_seed(1)
    _, _, inputs, channels, kernel, dropout = case.sizes
    layer = PublishedTCN(inputs, channels, kernel, dropout)
    if case.mode != "stream":
        return _Step(layer, case)
    ring = RingTCN(layer.eval())
    x = np.ones((1, inputs), dtype=np.float32)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(1000):
                ring.step(torch.from_numpy(x)).numpy()

    return run


class _Step:
    """One forward pass, or one with its backward pass, of a module on (B, T, C)."""

    def __init__(self, layer: Any, case: ConvCase) -> None:
        import torch

        from seqloom import nn

        batch, time, inputs, channels, _, _ = case.sizes
        generator = torch.Generator().manual_seed(11)
        self.layer, self.mode = layer.train(case.mode == "train"), case.mode
        self.x = torch.randn(batch, time, inputs, generator=generator)
        self.last, self.native = case.last, isinstance(layer, nn.TCN)
        self.gradient = torch.rand(batch, *(() if case.last else (time,)), channels[-1], generator=generator) + 0.5

    def __call__(self) -> Any:
        """One step."""
        import torch

        if self.mode == "forward":
            with torch.no_grad():
                return self.layer(self.x)
        for parameter in self.layer.parameters():
            parameter.grad = None
        return self._run(self.layer, self.x).backward(self.gradient)

    def _run(self, layer: Any, x: Any) -> Any:
        if not self.last:
            return layer(x)
        return layer(x, last_only=True) if self.native else layer(x)[:, -1]

    def error(self) -> float | None:
        """The largest error of the output and of each gradient against the layer in float64, without dropout.

        By the Euclidean norm: a unit beside ReLU's kink that falls on its other side moves single gradients by as much
        as they are. Of the first rows only.
        """
        if self.mode != "train":
            return None
        self.layer.eval()
        found = self._results(self.layer, self.x[:2])
        exact = self._results(copy.deepcopy(self.layer).double(), self.x[:2].double())
        self.layer.train()
        return max(float((a.double() - b).norm() / b.norm().clamp_min(1e-300)) for a, b in zip(found, exact))

    def _results(self, layer: Any, x: Any) -> list[Any]:
        for parameter in layer.parameters():
            parameter.grad = None
        y = self._run(layer, x)
        y.backward(self.gradient[: len(x)].to(x.dtype))
        return [y.detach(), *(p.grad for p in layer.parameters())]


CONV_PEERS: dict[str, Callable[[ConvCase], Callable[[], Any]]] = {"seqloom": ours, "torch.nn": published}


def conv_tables(results: list[dict[str, Any]]) -> str:
    """Seconds, ratio, share of sgemm, memory and error of every case, ours beside torch's; losses stay in."""
    rows = [r for r in results if r["case"]["kind"] == "tcn"]
    groups = {
        "Convolutions: training step of a published TCN": ("train", 1e-3, "s"),
        "Convolutions: forward without gradient": ("forward", 1e-3, "s"),
        "Convolutions: one step at a time, batch 1, from NumPy": ("stream", 1e3, "µs"),
    }
    parts = []
    for title, (mode, scale, unit) in groups.items():
        chosen = [r for r in rows if r["case"]["mode"] == mode]
        if chosen:
            parts.append(_table(title, chosen, scale, unit, full=mode == "train"))
    return "\n\n".join(parts)


def _table(title: str, rows: list[dict[str, Any]], scale: float, unit: str, *, full: bool) -> str:
    head = [
        "setting",
        f"ours {unit} (low–high)",
        f"torch {unit} (low–high)",
        "ratio",
        "ours of sgemm",
        "torch of sgemm",
    ]
    head += ["MiB ours / torch", "error ours / torch"] if full else []
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        both = [row["peers"][peer] for peer in ("seqloom", "torch.nn")]
        cells = [row["name"].removeprefix("tcn ").removesuffix(f" {row['case']['mode']}")]
        cells += [f"{b['ms'] * scale:.3g} ({b['ms_low'] * scale:.3g}–{b['ms_high'] * scale:.3g})" for b in both]
        shares = [f"{b['sgemm_share']:.0%}" for b in both]
        cells += [f"{both[1]['ratio']:.2f}×", "–" if row["case"]["last"] else shares[0], shares[1]]
        if full:
            cells += [" / ".join(f"{b['step_mib']:.0f}" for b in both), " / ".join(f"{b['error']:.1e}" for b in both)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
