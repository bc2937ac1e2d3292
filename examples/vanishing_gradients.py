"""Vanishing and exploding gradients, and their cures side by side.

    python examples/vanishing_gradients.py study.html     # or .png, .svg; --length 40 --steps 300 --seed 0

The task: the first of `length` inputs is +1 or −1, the others are noise; say after the last one which it was. The
gradient has to reach back over all steps. Each network is looked at before training (how much of the gradient is left
k steps back: a factor below 1 a step and it vanishes, above 1 and it explodes) and then trained. The chart shows the
gradient by lag, the loss, and the largest singular value of W_h while it trains. A loss of ln 2 = 0.693 is guessing.
The exploding pair is trained by plain SGD, whose steps are as long as the gradient; the others by Adam. Not every cure
is enough alone: layer norm makes the gradient die more slowly, but with this little training it still dies.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom.diagnostics import SpectrumTrace, decay_rate, gradient_by_lag
from seqloom.nn import GRU, LSTM, RNN, Recurrent

__all__ = ["VARIANTS", "Variant", "chart", "main", "study"]

UNITS, BATCH = 24, 64


@dataclass(frozen=True)
class Variant:
    """One network of the study: what it is called, how it is made, how it is trained."""

    name: str
    make: Callable[[int], Recurrent]
    clip: float | None = None  # the norm that its gradient is clipped to
    sgd: bool = False


def scaled(factor: float, **options: Any) -> Callable[[int], Recurrent]:
    """An RNN whose W_h starts as `factor` times an orthogonal matrix: all its singular values are `factor`."""

    def make(seed: int) -> Recurrent:
        module = RNN(2, UNITS, seed=seed, **options)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if name.endswith("w_h"):
                    parameter.mul_(factor)
        return module

    return make


def gru(seed: int) -> Recurrent:
    """A GRU whose update gate starts open to the past, as an LSTM whose forget bias is 2: z is about 0.88."""
    module = GRU(2, UNITS, seed=seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter[UNITS : 2 * UNITS] = 2.0  # gate order r, z, n
    return module


VARIANTS = (
    Variant("tanh, σ = 0.5: vanishes", scaled(0.5)),
    Variant("linear, σ = 1.25: explodes", scaled(1.25, activation="identity"), sgd=True),
    Variant("cure: clipping (linear, σ = 1.25)", scaled(1.25, activation="identity"), clip=0.2, sgd=True),
    Variant("cure: orthogonal start (σ = 1)", scaled(1.0)),
    Variant("cure: ReLU, identity start, clipped", scaled(1.0, activation="relu", recurrent_init="identity"), clip=0.2),
    Variant("cure: layer norm (tanh, σ = 0.5)", scaled(0.5, layer_norm=True)),
    Variant("cure: gates (GRU)", gru),
    Variant("cure: gates (LSTM)", lambda seed: LSTM(2, UNITS, seed=seed, forget_bias=2.0)),
)


def batch(length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """x (B, length, 2): a value, and 0 where it counts and 1 where it is noise; answers (B): 1 for a first value +1."""
    x = 0.2 * torch.randn(BATCH, length, 2, generator=generator)
    answer = torch.randint(0, 2, (BATCH,), generator=generator).float()
    x[..., 1] = 1.0
    x[:, 0, 0], x[:, 0, 1] = 2 * answer - 1, 0.0
    return x, answer


def study(length: int = 40, steps: int = 300, seed: int = 0) -> list[dict[str, Any]]:
    """Run every variant; one row of results for each: gradient by lag, losses, largest singular value of W_h."""
    rows = []
    for variant in VARIANTS:
        generator = torch.Generator().manual_seed(seed)
        module = variant.make(seed + 1)
        norms = gradient_by_lag(module, batch(length, generator)[0]).relative()[0]
        losses, trace = train(module, variant, length, steps, generator)
        gate = next(name for name in trace.spectra[0]["layer 0"] if name.startswith("singular"))
        at, largest = trace.largest("layer 0", gate)
        rows.append(
            {
                "name": variant.name,
                "norms": norms.tolist(),
                "rate": decay_rate(norms),
                "losses": losses,
                "singular": list(zip(at.tolist(), largest.tolist(), strict=True)),
            }
        )
    return rows


def train(
    module: Recurrent, variant: Variant, length: int, steps: int, generator: torch.Generator
) -> tuple[list[float], SpectrumTrace]:
    """The loss of every step, up to the first that is no number, and the spectrum of W_h every 10 steps."""
    head = nn.Linear(UNITS, 1)
    nn.init.normal_(head.weight, std=UNITS**-0.5, generator=generator)
    nn.init.zeros_(head.bias)
    parameters = [*module.parameters(), *head.parameters()]
    adam, sgd = torch.optim.Adam, torch.optim.SGD
    optimizer = sgd(parameters, lr=0.02, momentum=0.9) if variant.sgd else adam(parameters, lr=0.005)
    losses: list[float] = []
    trace = SpectrumTrace()
    for step in range(steps):
        if step % 10 == 0:
            trace.record(step, module)
        x, answer = batch(length, generator)
        output, _ = module(x, last_only=True)
        loss = functional.binary_cross_entropy_with_logits(head(output)[:, 0], answer)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, variant.clip or math.inf)
        if not math.isfinite(loss.item()) or not math.isfinite(float(norm)):
            break  # the gradient left the range of float32
        optimizer.step()
    return losses, trace


def verdict(row: dict[str, Any], steps: int) -> str:
    """What became of the training."""
    losses = row["losses"]
    if len(losses) < steps or not math.isfinite(losses[-1]):
        return f"exploded at step {len(losses) - 1}"
    last = sum(losses[-20:]) / len(losses[-20:])
    return f"learned (loss {last:.3f})" if last < 0.35 else f"not learned (loss {last:.3f})"


def smooth(losses: list[float]) -> list[tuple[int, float]]:
    """Means of 10 steps, at most 3: an explosion ends at the edge of the picture."""
    blocks = [(k, losses[k : k + 10]) for k in range(0, len(losses), 10)]
    return [(k, min(sum(block) / len(block), 3.0)) for k, block in blocks if math.isfinite(sum(block))]


def chart(rows: list[dict[str, Any]]) -> Any:
    """The three pictures under one legend; plain networks dashed, cures solid."""
    import altair as alt

    names = [row["name"] for row in rows]
    legend = alt.Legend(labelLimit=400, orient="bottom", columns=2)
    colour = alt.Color("network:N", sort=names, title=None, legend=legend, scale=alt.Scale(scheme="tableau10"))
    dashes = alt.Scale(domain=[True, False], range=[[5, 4], [1, 0]])

    def panel(title: str, x: str, y: str, pairs: list[list[tuple[int, float]]], *, log: bool = False) -> Any:
        values = [
            {"network": row["name"], "plain": not row["name"].startswith("cure"), "x": a, "y": b}
            for row, found in zip(rows, pairs, strict=True)
            for a, b in found
        ]
        scale = alt.Scale(type="log") if log else alt.Scale(zero=False)
        return (
            alt.Chart(alt.Data(values=values), title=title, width=300, height=260)
            .mark_line(strokeWidth=1.8)
            .encode(
                x=alt.X("x:Q", title=x),
                y=alt.Y("y:Q", title=y, scale=scale, axis=alt.Axis(format="~g" if not log else "~e")),
                color=colour,
                strokeDash=alt.StrokeDash("plain:N", legend=None, scale=dashes),
            )
        )

    lags = [[(k, v) for k, v in enumerate(row["norms"]) if 1e-12 < v < math.inf] for row in rows]
    return alt.hconcat(
        panel("Gradient before training", "steps back", "share that is left", lags, log=True),
        panel("Training", "step", "loss (0.693: guessing)", [smooth(row["losses"]) for row in rows]),
        panel("Recurrent weights", "step", "largest singular value", [row["singular"] for row in rows]),
    ).configure_view(stroke=None)


def main(arguments: list[str] | None = None) -> int:
    """Run the study, print its table, write the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chart", type=Path, help="where the chart goes: a name that ends in .html, .png or .svg")
    for name, value, text in (
        ("length", 40, "inputs of a sequence"),
        ("steps", 300, "training steps"),
        ("seed", 0, "seed"),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, help=f"{text} ({value})")
    chosen = parser.parse_args(arguments)
    if chosen.chart.suffix not in (".html", ".png", ".svg"):
        parser.error(f"the chart's name must end in .html, .png or .svg, not {chosen.chart.name!r}")
    if chosen.length < 2 or chosen.steps < 1:
        parser.error("--length must be 2 or more, --steps 1 or more")
    torch.set_num_threads(1)  # matrices this small have no work for more
    rows = study(chosen.length, chosen.steps, chosen.seed)
    print(f"{'network':<36}{'a step back':>12}{f'left after {chosen.length - 1}':>18}   training")
    for row in rows:
        left = row["norms"][-1]
        print(f"{row['name']:<36}{row['rate']:>12.3f}{left:>18.1e}   {verdict(row, chosen.steps)}")
    picture = chart(rows)
    if chosen.chart.suffix == ".html":
        picture.save(str(chosen.chart), inline=True)  # the page carries its library: nothing is fetched
    else:
        picture.save(str(chosen.chart), scale_factor=2)
    print(f"The chart is in {chosen.chart}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
