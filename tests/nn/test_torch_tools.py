"""What works with PyTorch's tools: every cell of the table in docs/torch-tools.md."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacrev, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.proxy import TraceError
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from seqloom import nn
from seqloom.errors import SeqloomError
from seqloom.nn import compat

PAGE = Path(__file__).resolve().parents[2] / "docs" / "torch-tools.md"
IN, OUT = 4, 5
pytestmark = pytest.mark.filterwarnings("ignore")  # torch's tools warn of themselves: deprecations, tracer's notes


class Head(torch.nn.Module):
    """A layer and a read-out, as programs have them: (B, T, 4) → (B, …, 2)."""

    def __init__(self, layer: torch.nn.Module, width: int = OUT):
        super().__init__()
        self.layer, self.out = layer, torch.nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(x))


class Pair(Head):
    """The same around a layer that returns a state beside its output."""

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(x)[0])


def families() -> dict[str, list[Head]]:
    """Fresh modules of each column."""
    torch.manual_seed(1)
    return {
        "nn": [
            Pair(nn.GRU(IN, OUT, seed=1)),
            Pair(nn.LSTM(IN, OUT, 2, bidirectional=True, seed=1), 2 * OUT),
            Pair(nn.RNN(IN, OUT, seed=1)),
            Pair(nn.Jordan(IN, 3, OUT, seed=1)),
            Pair(nn.LSTM(IN, OUT, layer_norm=True, peephole=False, seed=1)),
        ],
        "compat": [
            Pair(compat.GRU(IN, OUT, batch_first=True)),
            Pair(compat.LSTM(IN, OUT, 2, bidirectional=True, batch_first=True), 2 * OUT),
            Pair(compat.RNN(IN, OUT, nonlinearity="relu", batch_first=True)),
        ],
        "convolutions": [
            Head(nn.CausalConv1d(IN, OUT, 3, dilation=2, seed=1)),
            Head(nn.Conv1d(IN, OUT, 3, padding="same", seed=1)),
            Head(nn.TCN(IN, [OUT, OUT], kernel_size=2, seed=1)),
        ],
        "around": [
            Head(nn.MaxPool(2), IN),
            Head(nn.GlobalAverage(), IN),
            Head(nn.Highway(IN, seed=1), IN),
            Head(nn.Residual(nn.CausalConv1d(IN, IN, 2, seed=1)), IN),
            Head(nn.Inception1d(IN, 2, seed=1), 2 * 3),
        ],
    }


def dropping() -> dict[str, list[Head]]:
    """The same columns with something to draw in training."""
    return {
        "nn": [Pair(nn.GRU(IN, OUT, recurrent_dropout=0.2, seed=1)), Pair(nn.LSTM(IN, OUT, zoneout=0.2, seed=1))],
        "compat": [Pair(compat.GRU(IN, OUT, 2, dropout=0.2, batch_first=True))],
        "convolutions": [Head(nn.TCN(IN, [OUT], kernel_size=2, dropout=0.2, seed=1))],
        "around": [Head(nn.Highway(IN, seed=1), IN)],
    }


def batch(rows: int = 3, steps: int = 6, seed: int = 1) -> Tensor:
    return torch.randn(rows, steps, IN, generator=torch.Generator().manual_seed(seed))


def same(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=tolerance, rtol=1e-4)


# -- tools: each takes a module in evaluation ------------------------------------------------------------------------


def trace(module: Head) -> None:
    for gradients in (False, True):
        with torch.set_grad_enabled(gradients):
            traced: Any = torch.jit.trace(module, (batch(),))
            for rows, steps in ((3, 6), (5, 6), (3, 9), (3, 3), (1, 6)):
                x = batch(rows, steps, seed=2)
                if steps != 6 and _unrolled(module.layer):
                    with pytest.raises(RuntimeError, match="elements in a list"):  # said, not passed over
                        traced(x)
                else:
                    same(traced(x), module(x))


def _unrolled(layer: torch.nn.Module) -> bool:
    """Whether torch has no such cell, so that a trace holds its steps one by one."""
    return isinstance(layer, nn.Recurrent) and (layer.cell.kind == "jordan" or layer.cell.layer_norm)


def trace_in_training(module: Head) -> None:
    module.train()
    torch.manual_seed(3)
    traced: Any = torch.jit.trace(module, (batch(),), check_trace=False)
    found = [traced(batch()) for _ in range(3)]
    if isinstance(module.layer, torch.nn.RNNBase):
        assert not torch.equal(found[0], found[1])  # drawn anew, as torch's own layer does
    else:
        same(found[0], module(batch()))


def script(module: Head) -> None:
    same(torch.jit.script(module)(batch()), module(batch()))


def symbolic(module: Head) -> None:
    graph = torch.fx.symbolic_trace(module)
    same(graph(batch(5, 8)), module(batch(5, 8)))
    with pytest.raises((SeqloomError, TraceError)):
        torch.fx.symbolic_trace(module.layer)


def make_graph(module: Head) -> None:
    same(make_fx(module)(batch())(batch(seed=2)), module(batch(seed=2)))


def export(module: Head) -> None:
    rows, steps = torch.export.Dim("rows", min=2, max=64), torch.export.Dim("steps", min=4, max=64)
    shapes = {0: rows} if isinstance(module.layer, nn.MaxPool) else {0: rows, 1: steps}
    program = torch.export.export(module, (batch(),), dynamic_shapes=(shapes,))
    if 1 in shapes:
        same(program.module()(batch(7, 9, seed=2)), module(batch(7, 9, seed=2)))
    same(program.module()(batch(7, 6, seed=2)), module(batch(7, 6, seed=2)))


def compile_it(module: Head) -> None:
    torch.compiler.reset()
    same(torch.compile(module, backend="aot_eager")(batch()), module(batch()))


def deep_copy(module: Head) -> None:
    other = copy.deepcopy(module)
    same(other(batch()), module(batch()))
    for p in other.parameters():
        torch.nn.init.zeros_(p)
    assert not torch.allclose(other(batch()), module(batch()))


def state_dict(module: Head) -> None:
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    expected = module(batch())
    for p in module.parameters():
        torch.nn.init.zeros_(p)
    module.load_state_dict(torch.load(file, weights_only=True))
    same(module(batch()), expected)


def call_functional(module: Head) -> None:
    other = {name: value * 1.5 for name, value in module.named_parameters()}
    found = functional_call(module, other, (batch(),))
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for name, value in twin.named_parameters():
            value.copy_(other[name])
    same(found, twin(batch()))


def total(module: Head) -> Any:
    return lambda x: module(x).square().sum()


def plain_gradient(module: Head, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(total(module)(x), x)[0]


def func_grad(module: Head) -> None:
    same(grad(total(module))(batch()), plain_gradient(module, batch()))


def func_jvp(module: Head) -> None:
    x, direction = batch(), batch(seed=2)
    value, slope = jvp(total(module), (x,), (direction,))[:2]
    same(value, total(module)(x))
    same(slope, (plain_gradient(module, x) * direction).sum(), 1e-4)


def func_jacrev(module: Head) -> None:
    x = batch(1, 3)
    same(jacrev(module)(x), torch.autograd.functional.jacobian(module, x))


def func_hessian(module: Head) -> None:
    x = batch(1, 2)
    same(hessian(total(module))(x), torch.autograd.functional.hessian(total(module), x), 1e-4)


def func_vmap(module: Head) -> None:
    xs = torch.stack([batch(seed=s) for s in range(3)])
    same(vmap(module)(xs), torch.stack([module(x) for x in xs]))


def vectorised(module: Head) -> None:
    x = batch(1, 3)
    plain = torch.autograd.functional.jacobian(module, x)
    same(torch.autograd.functional.jacobian(module, x, vectorize=True), plain)


def forward_mode(module: Head) -> None:
    x, direction = batch(), batch(seed=2)
    with forward_ad.dual_level():
        _, slope = forward_ad.unpack_dual(total(module)(forward_ad.make_dual(x, direction)))
    assert slope is not None
    same(slope, (plain_gradient(module, x) * direction).sum(), 1e-4)
    weights = {name: p.detach() for name, p in module.named_parameters()}
    with forward_ad.dual_level():
        duals = {name: forward_ad.make_dual(p, torch.ones_like(p)) for name, p in weights.items()}
        found = forward_ad.unpack_dual(functional_call(module, duals, (x,)).square().sum()).tangent
    slopes = torch.autograd.grad(total(module)(x), list(module.parameters()))
    assert found is not None
    same(found, torch.stack([g.sum() for g in slopes]).sum(), 1e-3)


def hooks(module: Head) -> None:
    expected = plain_gradient(module, batch())
    with torch.autograd.graph.save_on_cpu():
        same(plain_gradient(module, batch()), expected)


def checkpointed(module: Head) -> None:
    expected, x = plain_gradient(module, batch()), batch().requires_grad_()
    checkpoint(module, x, use_reentrant=False).square().sum().backward()
    same(x.grad, expected)


def checkpointed_dropout(module: Head) -> None:
    """The gradient is that of the numbers that were drawn."""
    module.train()
    for reentrant in (False, True):
        x = batch().requires_grad_()
        torch.manual_seed(3)
        checkpoint(module, x, use_reentrant=reentrant).square().sum().backward()
        torch.manual_seed(3)
        same(x.grad, plain_gradient(module, batch()))


def mapped_gradient(module: Head) -> None:
    x = batch(1, 4).requires_grad_()
    y = module(x)
    directions = torch.randn(3, *y.shape, generator=torch.Generator().manual_seed(2))

    def pull(v: Tensor) -> Tensor:
        return torch.autograd.grad(y, x, v, retain_graph=True)[0]

    same(vmap(pull)(directions), torch.stack([pull(v) for v in directions]))


class Doubled(torch.nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return 2 * w


def parametrized(module: Head) -> None:
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for p in twin.parameters():
            p.mul_(2)
    for part in list(module.modules()):
        for name, _ in list(part.named_parameters(recurse=False)):
            if not isinstance(part, torch.nn.RNNBase):  # torch's own layers read their weights past parametrizations
                parametrize.register_parametrization(part, name, Doubled())
            else:
                getattr(part, name).data.mul_(2)
    same(module(batch()), twin(batch()))


def freed(module: Head) -> None:
    expected = module(batch())
    kept = [(p, p.detach().clone()) for p in module.layer.parameters()]
    for p, value in kept:
        p.untyped_storage().resize_(0)
        del value
    if kept:
        with pytest.raises(RuntimeError):
            module(batch())
    for p, value in kept:
        p.untyped_storage().resize_(value.nbytes)
        p.data.copy_(value)
    same(module(batch()), expected)


def quantized(module: Head) -> None:
    expected = module(batch())
    found = torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear, torch.nn.LSTM, torch.nn.GRU})
    assert type(found.layer) is type(module.layer)
    assert (found(batch()) - expected).abs().max() < 0.05 * max(1.0, float(expected.abs().max()))


TOOLS = {
    "torch.jit.trace": trace,
    "torch.jit.trace in training, with dropout": trace_in_training,
    "torch.jit.script": script,
    "torch.fx.symbolic_trace": symbolic,
    "make_fx": make_graph,
    "torch.export": export,
    "torch.compile": compile_it,
    "copy.deepcopy": deep_copy,
    "torch.save of the state dict": state_dict,
    "torch.func.functional_call": call_functional,
    "torch.func.grad": func_grad,
    "torch.func.jvp": func_jvp,
    "torch.func.jacrev": func_jacrev,
    "torch.func.hessian": func_hessian,
    "torch.func.vmap": func_vmap,
    "torch.func.vmap over torch.autograd.grad": mapped_gradient,
    "torch.autograd.functional.jacobian, vectorised": vectorised,
    "forward-mode derivatives": forward_mode,
    "saved-tensor hooks": hooks,
    "torch.utils.checkpoint": checkpointed,
    "torch.utils.checkpoint, with dropout": checkpointed_dropout,
    "parametrizations": parametrized,
    "freed weights, brought back (sharded training)": freed,
    "quantize_dynamic": quantized,
}


def table() -> list[tuple[str, str, str]]:
    """(tool, column, cell) of every cell of the page."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [(row[0], column, cell) for row in rows[1:] for column, cell in zip(rows[0][1:], row[1:], strict=True)]


def test_the_page_has_every_tool():
    assert list(dict.fromkeys(tool for tool, _, _ in table())) == list(TOOLS)


SLOW = ("torch.compile", "torch.export")  # seconds a module


@pytest.mark.parametrize(("tool", "column", "cell"), table())
def test_cell(tool, column, cell):
    modules = (dropping() if "dropout" in tool else families())[column]
    check(tool, cell, modules[:1] if tool in SLOW else modules)


@pytest.mark.deep
@pytest.mark.parametrize(("tool", "column", "cell"), [row for row in table() if row[0] in SLOW])
def test_cell_over_all_modules(tool, column, cell):
    check(tool, cell, families()[column])


def check(tool: str, cell: str, modules: list[Head]) -> None:
    for module in modules:
        module.eval()
        if cell == "refused":
            with pytest.raises(SeqloomError) as caught:
                TOOLS[tool](module)
            assert "\n" not in str(caught.value)
        else:
            assert cell in ("works", "float32")
            TOOLS[tool](module)
