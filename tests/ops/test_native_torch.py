"""The compiled scan inside torch: operator checks, torch.compile, torch.export, second derivatives, gradient modes."""

from __future__ import annotations

import copy
import dataclasses
import functools
import io
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint

from oracles.engine_checks import TRANSFORMS, Recorded, check_forward_mode, check_transform, of_a_transform
from oracles.native_cases import cotangents, native_case, run
from oracles.recurrent_cases import Case
from seqloom.nn import GRU, LSTM, RNN, Recurrent
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.kinds import KINDS
from seqloom.ops.reference import reference_scan
from seqloom.ops.scan import scan
from seqloom_runtime import native

pytestmark = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")

native_scan = functools.partial(scan, backend="native")
MODULES = {
    "rnn": lambda: RNN(3, 5),
    "gru": lambda: GRU(3, 5, 2),
    "lstm": lambda: LSTM(3, 5),
    "gru, both directions": lambda: GRU(3, 5, layer_norm=True, bidirectional=True),
    "lstm, all options": lambda: LSTM(3, 5, peephole=True, projection_size=2, cell_clip=1.0, layer_norm=True),
}


def recorded(case: Case) -> list[tuple[Any, list[Any]]]:
    """The operator calls of a forward and a backward pass."""
    with Recorded() as mode:
        outputs, leaves = case.call(native_scan, torch.float32)
        torch.autograd.grad([o.square().sum() for o in outputs], leaves)
    return mode.calls


def unmasked(case: Case) -> Case:
    """With a mask that keeps every step: what is saved of the others is not set."""
    return dataclasses.replace(case, x=np.nan_to_num(case.x)).but(mask=np.ones(case.x.shape[:2], dtype=bool))


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(k, marks=pytest.mark.deep) for k in range(4, 100))])
def test_operator_checks(seed):
    """Torch's own: schema, registration, fake kernels, and AOT dispatch with sizes fixed and not."""
    case = unmasked(native_case(seed, small=True))
    (forward, arrays), (backward, more) = recorded(case)
    given = [a.clone().requires_grad_(a.is_floating_point()) if isinstance(a, torch.Tensor) else a for a in arrays[:-1]]
    # With layer norm some of what is saved is not set, which the last check would compare.
    checks = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(forward, (*given, False), test_utils=checks[: 3 if case.cell.layer_norm else 4])
    torch.library.opcheck(
        backward, tuple(more), test_utils=("test_schema", "test_faketensor", "test_aot_dispatch_dynamic")
    )


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_fake_kernels_give_sizes_strides_and_dtypes(kind, every):
    """Also for states, inputs and weights that are not contiguous."""
    (forward, arrays), (backward, more) = recorded(native_case(6, cell=Cell(kind), small=True).but(last_only=not every))

    def turned(a: Any) -> Any:
        return a.t().contiguous().t() if isinstance(a, torch.Tensor) and a.dim() == 2 and a.dtype != torch.bool else a

    for func, args in ((forward, arrays), (backward, more)):
        for arguments in (args, [turned(a) for a in args]):
            real = func(*arguments)
            with FakeTensorMode() as mode:
                faked = [mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in arguments]
                fake = func(*faked)
            for r, f in zip(real, fake, strict=True):
                assert (tuple(r.shape), r.stride(), r.dtype) == (tuple(f.shape), f.stride(), f.dtype)


def step(module: Any, x: torch.Tensor, mask: torch.Tensor | None, owner: Recurrent) -> list[torch.Tensor]:
    """Outputs and gradients of a training step."""
    x = x.clone().requires_grad_()
    y, state = module(x, None, mask)
    states = state if isinstance(state, tuple) else (state,)
    total: Any = y.square().sum() + sum(s.sin().sum() for s in states)
    return [y, *states, *torch.autograd.grad(total, [x, *owner.parameters()])]


@pytest.mark.parametrize("name", MODULES)
def test_compile_without_a_graph_break(name):
    torch._dynamo.reset()
    module = MODULES[name]()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    generator = torch.Generator().manual_seed(1)
    x, mask = torch.randn(4, 7, 3, generator=generator), torch.rand(4, 7, generator=generator) < 0.7
    for found, expected in zip(step(compiled, x, mask, module), step(module, x, mask, module), strict=True):
        assert torch.equal(found, expected)


RANDOM: dict[str, Any] = {
    "gru": lambda: GRU(3, 5, 2, seed=1, input_dropout=0.2, recurrent_dropout=0.3, zoneout=0.1, candidate_dropout=0.2),
    "lstm": lambda: LSTM(3, 5, 2, seed=1, bidirectional=True, weight_dropout=0.2, between_dropout=0.3, zoneout=0.2),
}


@pytest.mark.parametrize(
    "backend", ["aot_eager", pytest.param("inductor", marks=[pytest.mark.deep, pytest.mark.filterwarnings("ignore")])]
)
@pytest.mark.parametrize("name", [pytest.param("gru", marks=pytest.mark.deep), "lstm"])
def test_compiled_dropout_draws_what_it_draws_without(name, backend):
    """New masks at every call, the same ones as without compilation, for a copy of the module its own."""
    torch._dynamo.reset()
    plain, module = RANDOM[name](), RANDOM[name]()
    compiled = torch.compile(module, fullgraph=True, backend=backend)
    x = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(5))
    runs = [(step(compiled, x, None, module), step(plain, x, None, plain)) for _ in range(3)]
    twin = copy.deepcopy(plain)
    copied = copy.deepcopy(module)
    again = torch.compile(copied, fullgraph=True, backend=backend)
    runs.append((step(again, x, None, copied), step(twin, x, None, twin)))
    runs.append((step(compiled, x, None, module), step(plain, x, None, plain)))
    for found, expected in runs:
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert not torch.equal(runs[0][0][0], runs[1][0][0])
    assert torch.equal(runs[3][0][0], runs[4][0][0])


def test_two_compiled_calls_of_one_graph_draw_apart():
    torch._dynamo.reset()
    module = GRU(3, 5, seed=3, input_dropout=0.5, zoneout=0.5)

    def twice(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return module(x)[0], module(x)[0]

    first, second = torch.compile(twice, fullgraph=True, backend="aot_eager")(torch.ones(4, 7, 3))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("kind", ["list", "tensor"])
def test_compile_with_lengths(kind):
    torch._dynamo.reset()
    module = GRU(3, 5, seed=3)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(6))
    make: Any = list if kind == "list" else torch.tensor
    for lengths in ([7, 3, 0, 5], [1, 1, 7, 2]):
        found, expected = compiled(x, lengths=make(lengths)), module(x, lengths=lengths)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])
    with pytest.raises(RuntimeError, match="between 0 and the steps"):
        compiled(x, lengths=make([7, 8, 1, 1]))


@pytest.mark.parametrize("name", ["gru", pytest.param("lstm", marks=pytest.mark.deep)])
def test_compile_with_sizes_that_change(name):
    torch._dynamo.reset()
    module = MODULES[name]()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager", dynamic=True)
    generator = torch.Generator().manual_seed(2)
    for batch, steps in ((4, 7), (3, 5), (17, 2)):
        x = torch.randn(batch, steps, 3, generator=generator)
        for found, expected in zip(step(compiled, x, None, module), step(module, x, None, module), strict=True):
            assert torch.equal(found, expected)
        with torch.no_grad():
            assert torch.equal(compiled(x)[0], module(x)[0])


@pytest.mark.deep
@pytest.mark.parametrize("name", MODULES)
def test_compile_with_inductor(name):
    torch._dynamo.reset()
    module = MODULES[name]()
    x = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own, inside its compiler
        found = step(torch.compile(module, fullgraph=True), x, None, module)
    for a, b in zip(found, step(module, x, None, module), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODULES)
def test_export(name):
    """The exported program holds our operator, runs with other sizes, and survives its own file."""
    module = MODULES[name]().eval()
    sizes = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("time", min=1, max=64)}
    program = torch.export.export(module, (torch.zeros(4, 7, 3),), dynamic_shapes=(sizes,))
    assert sum("seqloom.scan" in str(node.target) for node in program.graph.nodes) == len(module.cells)
    x = torch.randn(9, 11, 3, generator=torch.Generator().manual_seed(4))
    y, _ = program.module()(x)
    assert torch.equal(y, module(x)[0])
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    assert torch.equal(torch.export.load(file).module()(x)[0], y)


def second_order(case: Case, run_scan: Any, dtype: torch.dtype) -> list[torch.Tensor]:
    """All gradients of a loss, and all gradients of the squared length of those."""
    outputs, leaves = case.call(run_scan, dtype)
    total: Any = sum(o.square().sum() + o.sin().sum() for o in outputs)
    first = torch.autograd.grad(total, leaves, create_graph=True)
    penalty: Any = sum(g.square().sum() for g in first)
    second = torch.autograd.grad(penalty, leaves, allow_unused=True, materialize_grads=True)
    return [g.detach().double() for g in (*first, *second)]


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(k, marks=pytest.mark.deep) for k in range(6, 12))])
def test_second_derivatives_are_the_reference_s(seed):
    case = native_case(seed, small=True)
    case = dataclasses.replace(case, x=np.nan_to_num(case.x))
    exact = second_order(case, reference_scan, torch.float64)
    ours, twin = (second_order(case, s, torch.float32) for s in (native_scan, reference_scan))
    for k, (o, t, e) in enumerate(zip(ours, twin, exact, strict=True)):
        if e.numel():
            scale = max(1e-30, float(e.abs().max()))
            allowed = 4 * float((t - e).abs().max()) / scale + 1e-5
            assert float((o - e).abs().max()) / scale <= allowed, f"{k}: {case.cell}"


def small(kind: str = "gru") -> Case:
    return native_case(20, cell=Cell(kind), small=True).but(last_only=False)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_modes(kind):
    case = small(kind)
    expected = run(case, native_scan)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            outputs, _ = case.call(native_scan, torch.float32)
        assert all(not o.requires_grad for o in outputs)
        assert outputs[0].numpy().tobytes() == expected["y"].tobytes()
    with torch.inference_mode():
        outputs, _ = case.call(native_scan, torch.float32)
        assert all(o.is_inference() for o in outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_leaves_it_alone(kind):
    case = small(kind)
    expected = run(case, native_scan)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = run(case, native_scan)
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        assert found[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_some_arguments_alone(kind):
    """The others get none, and the values stay the same to the bit."""
    case = small(kind)
    expected = run(case, native_scan)
    names = [name for name in expected if name.startswith("d")]
    for which in range(len(names)):
        outputs, leaves = case.call(functools.partial(scan_of_one, which), torch.float32)
        given = cotangents(case, [tuple(o.shape) for o in outputs])
        pairs = [(o, torch.from_numpy(g).float()) for o, g in zip(outputs, given) if g is not None and o.requires_grad]
        grads = torch.autograd.grad([o for o, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True)
        for k, (name, grad) in enumerate(zip(names, grads, strict=True)):
            if k == which:
                assert (grad is None and not expected[name].any()) or grad.numpy().tobytes() == expected[name].tobytes()
            else:
                assert grad is None


def scan_of_one(which: int, cell: Cell, x: torch.Tensor, state: Any, weights: Weights, **keywords: Any) -> Any:
    return native_scan(cell, *only(which, x, state, weights), **keywords)


def only(which: int, x: torch.Tensor, state: Any, weights: Weights) -> tuple[Any, Any, Weights]:
    """The same arguments, all but number `which` detached."""
    states = state if isinstance(state, tuple) else (state,)
    flat = [x, *states, *(w for _, w in weights.items())]
    flat = [t if k == which else t.detach() for k, t in enumerate(flat)]
    count = 1 + len(states)
    names = [name for name, _ in weights.items()]
    kept = tuple(flat[1:count]) if isinstance(state, tuple) else flat[1]
    return flat[0], kept, Weights(**dict(zip(names, flat[count:], strict=True)))


def test_backward_twice_and_after_an_in_place_change():
    case = small()
    outputs, leaves = case.call(native_scan, torch.float32)
    total = outputs[0].sum()
    first = torch.autograd.grad(total, leaves, retain_graph=True)
    second = torch.autograd.grad(total, leaves, retain_graph=True)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    with torch.no_grad():
        leaves[2].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(total, leaves)


def test_two_graphs_at_once_and_in_any_order():
    """What one call saves is not written over by the next."""
    cases = [native_case(seed, cell=Cell("lstm")).but(last_only=False) for seed in (31, 33, 35)]
    cases += [dataclasses.replace(cases[0], x=cases[0].x * 2)]
    alone = [run(case, native_scan) for case in cases]
    live = [case.call(native_scan, torch.float32) for case in cases]
    for k in (2, 0, 3, 1):
        outputs, leaves = live[k]
        grads = torch.autograd.grad(outputs[0].sum(), leaves)
        fresh_outputs, fresh_leaves = cases[k].call(native_scan, torch.float32)
        for a, b in zip(grads, torch.autograd.grad(fresh_outputs[0].sum(), fresh_leaves), strict=True):
            assert torch.equal(a, b)
        assert outputs[0].detach().numpy().tobytes() == alone[k]["y"].tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last_only", [False, True])
def test_outputs_share_no_memory(kind, last_only):
    with torch.no_grad():
        outputs, leaves = small(kind).but(last_only=last_only).call(native_scan, torch.float32)
    every = [t.untyped_storage().data_ptr() for t in (*outputs, *leaves)]
    assert len(set(every)) == len(every)


FIXED = Weights(*(torch.randn(n, 15, generator=torch.Generator().manual_seed(n)) for n in (3, 5)))
START = torch.zeros(2, 5)
POINT = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(9))


def output(x: torch.Tensor, backend: str = "auto") -> torch.Tensor:
    return scan(Cell("gru"), x, START, FIXED, backend=backend)[0]


@of_a_transform
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transformed_functions(name):
    check_transform(name, output, POINT, "which the reference engine has")


@of_a_transform
def test_forward_mode_derivative():
    check_forward_mode(output, POINT)


def test_checkpointed_and_offloaded():
    expected = torch.autograd.grad(output(x := POINT.clone().requires_grad_()).square().sum(), x)[0]
    y = checkpoint(output, (x := POINT.clone().requires_grad_()), use_reentrant=False)
    assert torch.equal(torch.autograd.grad(y.square().sum(), x)[0], expected)
    with torch.autograd.graph.save_on_cpu():
        y = output(x := POINT.clone().requires_grad_())
    assert torch.equal(torch.autograd.grad(y.square().sum(), x)[0], expected)


def test_large_results_are_ordinary_tensors():
    """They may lie in memory that is kept between calls: saved, shared, changed in place and outliving the call."""
    generator = torch.Generator().manual_seed(5)
    weights = Weights(*(0.1 * torch.randn(n, 3 * 128, generator=generator) for n in (3, 128)))
    x, h = torch.randn(64, 200, 3, generator=generator), torch.zeros(64, 128)

    def call(scale: float) -> torch.Tensor:
        return native_scan(Cell("gru"), x * scale, h, weights)[0]

    first = call(1.0)
    kept = first.clone()
    view, array = first[3:5, ::7], first.numpy()
    file = io.BytesIO()
    torch.save(first, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True), kept)
    for k in range(4):
        other = call(2.0 + k)
        other.fill_(torch.nan)
        del other
    assert torch.equal(first, kept)
    del first
    call(9.0).fill_(torch.nan)
    assert torch.equal(view, kept[3:5, ::7])
    assert array.tobytes() == kept.numpy().tobytes()
    shared = call(1.0).share_memory_()
    assert shared.is_shared()
    assert torch.equal(shared, kept)
