"""Random programs made of our operations, run once as they are and once on the readable references.

A program shares weights between calls, carries states without `detach`, closes shortcuts, runs stacks and cuts
sequences into chunks, so that one input of an operation may depend on another in every way that a user can write.
Compared are the loss, its gradients with and without `create_graph`, and the gradients of a penalty on the gradients.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqloom.ops import Cell, StepRandom, Weights, causal_conv, mse_loss
from seqloom.ops.conv_stack import causal_stack
from seqloom.ops.conv_stream import ConvLayer
from seqloom.ops.scan import scan
from seqloom.ops.weight_norm import weight_norm

__all__ = ["Program", "compare", "make_program"]

SMOOTH = ("tanh", "sigmoid", "softplus", "identity")  # at a kink a rounding would make another derivative
State = Any


@dataclass
class Run:
    """One run of a program: its leaves in its type, and the engine that is asked for."""

    leaves: list[Tensor]
    reference: bool

    def backend(self, name: str) -> str:
        """The engine of a call: the one drawn for the program, or the readable one."""
        return "reference" if self.reference else name


Step = Callable[[Run, list[Tensor], list[State]], None]


@dataclass
class Program:
    """Steps over two pools: sequences (B, T, C), and states that calls have left, by cell."""

    sizes: tuple[int, int, int]
    leaves: list[Tensor] = field(default_factory=list)  # float64; the first is x
    steps: list[Step] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def leaf(self, rng: random.Random, *shape: int, scale: float = 0.5, name: str = "w") -> int:
        """Add a leaf with random unequal numbers; returns its place."""
        generator = torch.Generator().manual_seed(rng.getrandbits(32))
        self.leaves.append(torch.randn(*shape, generator=generator, dtype=torch.float64) * scale)
        self.names.append(f"{name}{tuple(shape)}")
        return len(self.leaves) - 1

    def loss(self, dtype: torch.dtype, reference: bool) -> tuple[Tensor, list[Tensor]]:
        """The loss and the leaves that it depends on, in this type."""
        leaves = [leaf.to(dtype).requires_grad_() for leaf in self.leaves]
        run = Run(leaves, reference)
        values: list[Tensor] = [leaves[0]]
        states: list[State] = []
        for step in self.steps:
            step(run, values, states)
        total = values[-1]
        target = torch.linspace(-1, 1, total.numel(), dtype=dtype).reshape(total.shape)
        loss = mse_loss(total, target, backend="torch" if reference else "auto")
        for value in values[1:-1]:
            loss = loss + 0.1 * value.square().mean()
        return loss, leaves


def make_program(seed: int) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    sizes = (rng.randint(1, 4), rng.randint(1, 6), rng.randint(1, 5))
    program = Program(sizes)
    program.leaf(rng, *sizes, scale=1.0, name="x")
    cells = [_cell(program, rng) for _ in range(rng.randint(1, 2))]
    filters = [_filter(program, rng) for _ in range(rng.randint(1, 2))]
    makers = [
        lambda: _recurrence(program, rng, rng.choice(cells)),
        lambda: _chunks(program, rng, rng.choice(cells)),
        lambda: _convolution(program, rng, rng.choice(filters)),
        lambda: _stack(program, rng, filters),
        lambda: _arithmetic(program, rng),
    ]
    for _ in range(rng.randint(2, 5)):
        rng.choices(makers, weights=(4, 2, 3, 3, 2))[0]()
    return program


# -- parts ----------------------------------------------------------------------------------------------------------


def _cell(program: Program, rng: random.Random) -> tuple[Cell, dict[str, int]]:
    """A cell whose state is as wide as a sequence, with its weights among the leaves."""
    width = hidden = program.sizes[2]
    kind = rng.choice(("elman", "gru", "lstm", "jordan"))
    options = _options(rng, kind, width)
    if "projection" in options or kind == "jordan":
        hidden = rng.randint(2 if options.get("layer_norm") else 1, 6)
    cell = Cell(kind, **options)
    columns = cell.gates * hidden
    shapes: dict[str, tuple[int, ...]] = {"w_x": (width, columns), "w_h": (width, columns)}
    if rng.random() < 0.8:
        shapes["bias"] = (columns,)
    if rng.random() < 0.3:
        shapes["bias_h"] = (columns,)
    if cell.peephole:
        shapes["peephole"] = (2 if cell.coupled else 3, hidden)
    if cell.layer_norm:
        shapes |= {"gain_x": (columns,), "gain_h": (columns,)} | ({"gain_c": (hidden,)} if kind == "lstm" else {})
    if cell.projection is not None:
        shapes["w_p"] = (hidden, width)
    if kind == "jordan":
        shapes |= {"w_out": (hidden, width), "bias_out": (width,)}
    return cell, {name: program.leaf(rng, *shape, name=name) for name, shape in shapes.items()}


def _options(rng: random.Random, kind: str, width: int) -> dict[str, Any]:
    """What a cell of this kind may have."""
    options: dict[str, Any] = {"activation": rng.choice(SMOOTH[:3])}
    if kind == "lstm":
        options |= {"peephole": rng.random() < 0.3, "coupled": rng.random() < 0.3}
        options |= {"projection": width} if rng.random() < 0.3 else {}
    if kind == "gru":
        options["reset_after"] = rng.random() < 0.7
    if kind != "jordan":
        # the norm of one unit is 0 in exact sums, and whatever rounding makes of it in others
        options["layer_norm"] = width > 1 and options.get("reset_after", True) and rng.random() < 0.25
        options["zoneout"] = rng.choice((0.0, 0.0, 0.3))
    if kind in ("lstm", "gru"):
        options["candidate_dropout"] = rng.choice((0.0, 0.0, 0.0, 0.3))
    return options


def _weights(run: Run, places: dict[str, int]) -> Weights:
    return Weights(**{name: run.leaves[place] for name, place in places.items()})  # pyright: ignore[reportArgumentType]


def _start(program: Program, rng: random.Random, cell: Cell, places: dict[str, int]) -> Callable[..., State]:
    """Where a call's state comes from: zeros, a leaf, the input itself, or what a call of the same cell left."""
    rows, _, width = program.sizes
    hidden = program.leaves[places["w_x"]].shape[1] // cell.gates
    kind = rng.choice(("zeros", "leaf", "input", "earlier"))
    leaf_h = program.leaf(rng, rows, width, name="h") if kind == "leaf" else -1
    leaf_c = program.leaf(rng, rows, hidden, name="c") if kind == "leaf" else -1

    def make(run: Run, values: list[Tensor], states: list[State]) -> State:
        x = values[-1]
        h, c = x.new_zeros(rows, width), x.new_zeros(rows, hidden)
        if kind == "leaf":
            h, c = run.leaves[leaf_h], run.leaves[leaf_c]
        if kind == "input":
            h, c = x.mean(dim=1), x.sum(dim=(1, 2))[:, None].expand(rows, hidden)
        if kind == "earlier":
            found = [state for owner, state in states if owner is places]
            if found:
                return found[-1]
        return (h, c) if cell.kind == "lstm" else h

    program.text.append(f"start {kind}")
    return make


def _call(program: Program, rng: random.Random, cell: Cell) -> dict[str, Any]:
    """The keywords of a call."""
    rows, steps, width = program.sizes
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    keywords: dict[str, Any] = {"training": rng.random() < 0.5, "reverse": rng.random() < 0.2}
    if rng.random() < 0.3:
        keywords["mask"] = torch.rand(rows, steps, generator=generator) < 0.7
    for name in ("input_mask", "recurrent_mask"):
        if rng.random() < 0.2:
            keywords[name] = (torch.rand(rows, width, generator=generator) < 0.7) / 0.7
    if cell.random_per_step:
        keywords["rng"] = StepRandom(rng.getrandbits(60), rng.randint(0, 9), rng.randint(0, 3))
    return keywords


def _scan(run: Run, cell: Cell, x: Tensor, state: State, places: dict[str, int], backend: str, keywords: Any) -> Any:
    given = dict(keywords)
    for name in {"input_mask", "recurrent_mask"} & set(given):
        given[name] = given[name].to(x.dtype)
    return scan(cell, x, state, _weights(run, places), backend=run.backend(backend), **given)


def _recurrence(program: Program, rng: random.Random, made: tuple[Cell, dict[str, int]]) -> None:
    """One call over a whole sequence."""
    cell, places = made
    start, keywords = _start(program, rng, cell, places), _call(program, rng, cell)
    backend = rng.choice(("auto", "auto", "fused")) if _fused(cell, keywords) else "auto"
    pick = rng.random()

    def step(run: Run, values: list[Tensor], states: list[State]) -> None:
        x = values[int(pick * len(values))]
        y, after = _scan(run, cell, x, start(run, values, states), places, backend, keywords)
        states.append((places, after))
        values.append(y)

    program.steps.append(step)
    program.text.append(f"{cell} {keywords} on {backend}")


def _fused(cell: Cell, keywords: dict[str, Any]) -> bool:
    """Whether the fused engine runs the call."""
    special = cell.peephole or cell.coupled or cell.layer_norm or cell.projection or cell.zoneout
    drawn = cell.candidate_dropout and keywords["training"]
    return not (special or drawn or cell.kind == "jordan" or not cell.reset_after)


def _chunks(program: Program, rng: random.Random, made: tuple[Cell, dict[str, int]]) -> None:
    """The same cell over two pieces, its state carried without `detach`; the second also sees the first's output."""
    cell, places = made
    cut = rng.randint(0, program.sizes[1])
    start = _start(program, rng, cell, places)
    training = rng.random() < 0.5
    key = StepRandom(rng.getrandbits(60))

    def step(run: Run, values: list[Tensor], states: list[State]) -> None:
        x, state = values[-1], start(run, values, states)
        outputs = []
        for piece in (x[:, :cut], x[:, cut:]):
            if outputs and outputs[0].shape[1]:
                piece = piece + 0.3 * outputs[0].mean(dim=1, keepdim=True)
            y, state = _scan(run, cell, piece, state, places, "auto", {"training": training, "rng": key})
            outputs.append(y)
        values.append(torch.cat(outputs, dim=1))
        states.append((places, state))

    program.steps.append(step)
    program.text.append(f"{cell} in chunks of {cut}, training {training}")


def _filter(program: Program, rng: random.Random) -> dict[str, Any]:
    """A kernel that keeps the number of channels, plain or under weight norm."""
    width, taps = program.sizes[2], rng.randint(1, 3)
    # the direction of a single number has no slope: in exact sums its gradient is 0, else rounding over the square of v
    normed = rng.random() < 0.3 and width * taps > 1
    return {
        "v": program.leaf(rng, width, width, taps, name="v"),
        "g": program.leaf(rng, width, 1, 1, name="g") if normed else None,
        "bias": program.leaf(rng, width, name="b") if rng.random() < 0.7 else None,
        "dilation": rng.randint(1, 3),
    }


def _kernel(run: Run, made: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
    v = run.leaves[made["v"]]
    bias = None if made["bias"] is None else run.leaves[made["bias"]]
    if made["g"] is None:
        return v, bias
    g = run.leaves[made["g"]]
    return (v * (g / v.norm(dim=(1, 2), keepdim=True)) if run.reference else weight_norm(v, g)), bias


def _convolution(program: Program, rng: random.Random, made: dict[str, Any]) -> None:
    """One convolution, with a residual and a context that may depend on its input."""
    phi, psi = rng.choice(SMOOTH), rng.choice(SMOOTH)
    residual, context, dropped = rng.random() < 0.6, rng.random() < 0.3, rng.random() < 0.3
    pick, other, key = rng.random(), rng.random(), StepRandom(rng.getrandbits(60))

    def step(run: Run, values: list[Tensor], states: list[State]) -> None:
        x = values[int(pick * len(values))]
        weight, bias = _kernel(run, made)
        span = (weight.shape[2] - 1) * made["dilation"]
        before = x.mean(dim=1, keepdim=True).expand(-1, span, -1) if context else None
        y = causal_conv(
            x, weight, bias, dilation=made["dilation"], activation=phi, final_activation=psi, context=before,
            residual=values[int(other * len(values))] if residual else None, dropout=0.3 if dropped else 0.0, rng=key,
            training=dropped, backend=run.backend("auto"),
        )  # fmt: skip
        values.append(y)

    program.steps.append(step)
    program.text.append(f"conv {made} {phi} {psi} residual {residual} context {context} dropout {dropped}")


def _stack(program: Program, rng: random.Random, filters: list[dict[str, Any]]) -> None:
    """A stack with shortcuts; kernels may repeat."""
    plan = []
    for number in range(1, rng.randint(2, 4)):
        source = rng.choice((None, rng.randrange(number)))
        plan.append((rng.choice(filters), rng.choice(SMOOTH), source, rng.choice((None, rng.randrange(number)))))
    dropped, key = rng.random() < 0.3, StepRandom(rng.getrandbits(60))

    def step(run: Run, values: list[Tensor], states: list[State]) -> None:
        layers = []
        for made, phi, source, residual in plan:
            weight, bias = _kernel(run, made)
            layers.append(
                ConvLayer(
                    weight, bias, made["dilation"], phi, "tanh", source, residual, dropout=0.3 if dropped else 0.0
                )
            )
        values.append(causal_stack(values[-1], layers, rng=key, training=dropped, backend=run.backend("auto")))

    program.steps.append(step)
    program.text.append(f"stack {plan} dropout {dropped}")


def _arithmetic(program: Program, rng: random.Random) -> None:
    """Torch's own operations between ours."""
    kind, pick = rng.choice(("add", "multiply", "view", "detached")), rng.random()

    def step(run: Run, values: list[Tensor], states: list[State]) -> None:
        x, other = values[-1], values[int(pick * len(values))]
        if kind == "view":
            values.append(x.transpose(1, 2).contiguous().transpose(1, 2).flip(1))
        else:
            values.append(x + other.tanh() if kind == "add" else x * (other.detach() if kind == "detached" else other))

    program.steps.append(step)
    program.text.append(kind)


# -- comparison -----------------------------------------------------------------------------------------------------


def _derivatives(program: Program, dtype: torch.dtype, reference: bool) -> dict[str, list[Tensor | None]]:
    """The loss, its gradients, and those of a penalty on them."""
    loss, leaves = program.loss(dtype, reference)
    plain = torch.autograd.grad(loss, leaves, allow_unused=True)
    loss, leaves = program.loss(dtype, reference)
    first = torch.autograd.grad(loss, leaves, allow_unused=True, create_graph=True)
    penalty = loss.new_zeros(())
    for number, gradient in enumerate(first):
        if gradient is not None:
            direction = torch.linspace(0.5, 1.5 + number, gradient.numel(), dtype=dtype).reshape(gradient.shape)
            penalty = penalty + (gradient * direction).sum() + gradient.square().sum()
    second = torch.autograd.grad(penalty, leaves, allow_unused=True) if penalty.requires_grad else [None] * len(leaves)
    detached = [None if g is None else g.detach() for g in first]
    return {"loss": [loss.detach()], "gradient": list(plain), "with create_graph": detached, "second": list(second)}


def compare(program: Program) -> str | None:
    """What differs from the reference beyond float32's own noise, or None.

    The reference runs in float64; its float32 twin says how much rounding the program amplifies.
    """
    true = _derivatives(program, torch.float64, True)
    twin = _derivatives(program, torch.float32, True)
    ours = _derivatives(program, torch.float32, False)
    for what, wanted in true.items():
        scale = max((float(t.abs().max()) for t in wanted if t is not None and t.numel()), default=0.0)
        noise = max((_distance(a, b) for a, b in zip(twin[what], wanted, strict=True)), default=0.0)
        if not math.isfinite(noise):
            return None  # beyond float32's range for the reference as well
        for name, mine, right in zip(program.names if len(wanted) > 1 else ["loss"], ours[what], wanted, strict=True):
            error, allowed = _distance(mine, right), 30 * noise + 3e-5 * scale + 1e-7
            if not error <= allowed:
                return (
                    f"{what} of {name}: off by {error:.3g} where {allowed:.3g} is float32's noise (scale {scale:.3g})"
                )
    return None


def _distance(one: Tensor | None, other: Tensor | None) -> float:
    """max |one − other|; an unused leaf counts as zeros."""
    if one is None or other is None:
        there = other if one is None else one
        return 0.0 if there is None or not there.numel() else float(there.abs().max())
    return float((one.double() - other.double()).abs().max()) if one.numel() else 0.0
