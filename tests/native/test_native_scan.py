"""The compiled scan against the readable reference in float64, on every instruction set, and what surrounds it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from native_cells import breaks_rule, random_case, results

from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.call import Call
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.native_scan import refuses, run
from seqloom.ops.reference import reference_scan
from seqloom_runtime import native

if native.module() is None:
    pytest.skip("this installation has no native module", allow_module_level=True)
module: Any = native.module()

ISAS = ["portable", *(name for name in ("avx2", "avx512") if native.cpu_features().get(name))]
KINDS = ("elman", "jordan", "lstm", "gru")


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Every test starts from the same instruction set and thread count, and leaves them so."""
    isa, threads = module.isa(), torch.get_num_threads()
    yield
    module.use_isa(isa)
    torch.set_num_threads(threads)


def native_scan(cell: Cell, x: Any, state: Any, weights: Weights, **options: Any) -> Any:
    return run(Call(cell, x, state, weights, **options))


def supports(cell: Cell, x: Any, weights: Weights, **options: Any) -> str | None:
    return refuses(Call(cell, x, x, weights, **options))


def check_parity(seed: int, kind: str | None, **options) -> None:
    """Ours is within twice of what float32 costs the reference on this configuration."""
    case = random_case(seed, kind, **options)
    assert supports(case.cell, case.x.float(), Weights(**case.weights), **case.options) is None
    broken = breaks_rule(case, native_scan, reference_scan)
    assert not broken, f"seed {seed}, {broken}"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_reference(kind: str, isa: str):
    module.use_isa(isa)
    torch.set_num_threads(1)
    for seed in range(12):
        check_parity(1000 * ISAS.index(isa) + seed, kind)


@pytest.mark.deep
@pytest.mark.parametrize("isa", ISAS)
def test_equals_the_reference_on_500_random_configurations(isa: str):
    module.use_isa(isa)
    torch.set_num_threads(1)
    for seed in range(5000, 5500):
        check_parity(seed, None)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_in_every_place(name: str):
    for seed, cell in enumerate(
        [
            Cell("elman", activation=name),
            Cell("lstm", activation=name),
            Cell("gru", gate_activation=name),
            Cell("jordan", activation=name, output_activation=name),
        ]
    ):
        case = random_case(seed, cell.kind, hidden=19)
        case.cell = cell
        wanted = {"w_x", "w_h", "bias", "w_out", "bias_out"}
        case.weights = {k: v for k, v in case.weights.items() if k in wanted}
        for key in ("w_x", "w_h"):  # weights of the plain cell
            case.weights[key] = 0.1 * torch.randn(case.weights[key].shape[0], cell.gates * 19)
        if "bias" in case.weights:
            case.weights["bias"] = 0.1 * torch.randn(cell.gates * 19)
        if cell.kind == "lstm":
            case.h = torch.zeros(case.x.shape[0], 19)
            case.weights["w_h"] = 0.1 * torch.randn(19, cell.gates * 19)
            case.options.pop("recurrent_mask", None)
            shape = (case.x.shape[0], 19) if case.options["last_only"] else (*case.x.shape[:2], 19)
            case.upstream = [torch.randn(*shape), None, None]
        broken = breaks_rule(case, native_scan, reference_scan)
        assert not broken, f"{cell}: {broken}"


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_wide_cells_whose_weight_gradient_follows_the_loop(kind: str):
    for seed in range(4):
        check_parity(seed, kind, hidden=230)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads_gives_the_same_bits(kind: str, isa: str):
    module.use_isa(isa)
    for seed, hidden in ((1, 0), (2, 0), (3, 230)):
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(results(random_case(seed, kind, hidden=hidden), native_scan))
        for name, first in found[0].items():
            assert all(torch.equal(first, other[name]) for other in found[1:]), name


def plain(kind: str = "gru", batch: int = 5, steps: int = 6, inputs: int = 3, hidden: int = 8, **options):
    """A cell, x, a zero state and weights that want gradients."""
    cell = Cell(kind, **options)
    generator = torch.Generator().manual_seed(5)

    def weight(*shape: int) -> torch.Tensor:
        return (0.4 * torch.randn(*shape, generator=generator)).requires_grad_(True)

    columns = cell.gates * hidden
    weights = Weights(weight(inputs, columns), weight(hidden, columns), weight(columns))
    h = torch.zeros(batch, hidden)
    x = torch.randn(batch, steps, inputs, generator=generator)
    return cell, x, (h, torch.zeros(batch, hidden)) if kind == "lstm" else h, weights


@pytest.mark.parametrize("kind", ["elman", "lstm", "gru"])
def test_a_row_does_not_depend_on_its_neighbours(kind: str):
    cell, x, state, weights = plain(kind, batch=37)
    y, _ = native_scan(cell, x, state, weights)
    order = torch.randperm(37, generator=torch.Generator().manual_seed(0))
    assert torch.equal(native_scan(cell, x[order], state, weights)[0], y[order])
    first = (state[0][:1], state[1][:1]) if isinstance(state, tuple) else state[:1]
    assert torch.equal(native_scan(cell, x[7:8], first, weights)[0], y[7:8])


def test_nan_in_masked_steps_is_not_read():
    cell, x, state, weights = plain("lstm")
    mask = torch.ones(x.shape[:2], dtype=torch.bool)
    mask[1, 2:4] = mask[3] = False
    clean, _ = native_scan(cell, x, state, weights, mask=mask)
    clean.square().sum().backward()
    wanted = weights.w_x.grad
    dirty = x.masked_fill(~mask.unsqueeze(-1), float("nan")).requires_grad_(True)
    cell, _, state, weights = plain("lstm")
    y, (h, c) = native_scan(cell, dirty, state, weights, mask=mask)
    y.square().sum().backward()
    assert torch.equal(y, clean)
    assert torch.equal(weights.w_x.grad, wanted)  # pyright: ignore[reportArgumentType]
    assert dirty.grad is not None
    assert torch.equal(dirty.grad[~mask], torch.zeros_like(dirty.grad[~mask]))
    assert torch.equal(h[3], state[0][3])
    assert torch.equal(c[3], state[1][3])


def test_nan_and_infinity_go_where_the_reference_takes_them():
    cell, x, state, weights = plain("gru")
    x[1, 2, 0], x[2, 1, 1] = float("nan"), float("inf")
    y, _ = native_scan(cell, x, state, weights)
    wanted, _ = reference_scan(cell, x, state, weights)
    assert torch.equal(y.isnan(), wanted.isnan())
    assert y.isnan().any()


def test_weights_changed_in_place_are_seen():
    cell, x, state, weights = plain("gru")
    with torch.no_grad():
        before, _ = native_scan(cell, x, state, weights)
        weights.w_h.mul_(-1.5)
        after, _ = native_scan(cell, x, state, weights)
    torch.testing.assert_close(after, reference_scan(cell, x, state, weights)[0])
    assert not torch.allclose(before, after)


def test_non_contiguous_arguments():
    cell, x, state, weights = plain("lstm")
    wide = torch.randn(x.shape[2], x.shape[0], x.shape[1]).permute(1, 2, 0)
    turned = Weights(weights.w_x.t().contiguous().t(), weights.w_h, weights.bias)
    y, _ = native_scan(cell, wide, state, turned)
    torch.testing.assert_close(y, reference_scan(cell, wide, state, weights)[0])
    y.transpose(0, 1).square().sum().backward()


def test_second_derivatives_equal_the_reference():
    def twice(scan) -> list[torch.Tensor]:
        cell, x, state, weights = plain("gru", zoneout=0.3, candidate_dropout=0.2)
        x.requires_grad_(True)
        y, _ = scan(cell, x, state, weights, training=True, rng=StepRandom(2**63 + 5, 1, 2), reverse=True)
        (dx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return list(torch.autograd.grad(dx.square().sum(), [x, weights.w_h]))

    for ours, wanted in zip(twice(native_scan), twice(reference_scan), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)


def test_backward_twice_gives_the_same():
    cell, x, state, weights = plain("lstm")
    loss = native_scan(cell, x, state, weights)[0].square().sum()
    first = torch.autograd.grad(loss, weights.w_h, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(loss, weights.w_h)[0])


def test_several_python_threads_at_once():
    cell, x, state, weights = plain("gru", batch=64, hidden=32)
    torch.set_num_threads(2)
    wanted = native_scan(cell, x, state, weights)[0].detach()
    same: list[bool] = []

    def work() -> None:
        for _ in range(20):
            y, _ = native_scan(cell, x, state, weights)
            y.sum().backward()
            same.append(torch.equal(y.detach(), wanted))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert same == [True] * 80


def test_memory_does_not_grow_over_calls():
    cell, x, state, weights = plain("lstm", batch=64, steps=64, hidden=32)

    def step() -> int:
        native_scan(cell, x, state, weights)[0].sum().backward()
        return module.kept_bytes()

    first = [step() for _ in range(3)][-1]
    assert [step() for _ in range(10)][-1] <= first + 2**20


def test_denormal_mode_is_restored():
    cell, x, state, weights = plain("elman", hidden=16)
    tiny = torch.full((1000,), 1e-40)
    native_scan(cell, x, state, weights)[0].sum().backward()
    assert (tiny * 1.0 > 0).all()


def test_the_operator_passes_torchs_own_checks():
    cell, x, state, weights = plain("lstm")
    assert isinstance(state, tuple)
    whole = [2, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    arguments = (x, *state, weights.w_x, weights.w_h, weights.bias, *[None] * 11, whole, [1e-5, 0.0, 0.0, 0.0, 0.0])
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(torch.ops.seqloom.scan.default, (*arguments, True, False), test_utils=checks)
    assert cell.kind == "lstm"


def test_compile_sees_one_operation():
    cell, x, state, weights = plain("gru")
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    def run(x, w_x, w_h, bias):
        return native_scan(cell, x, state, Weights(w_x, w_h, bias), last_only=True)[0]

    arrays = (x, weights.w_x, weights.w_h, weights.bias)
    compiled = torch.compile(run, backend=backend, fullgraph=True)
    assert torch.equal(compiled(*arrays), run(*arrays))
    names = [str(node.target) for graph in graphs for node in graph.graph.nodes if node.op == "call_function"]
    assert sum("seqloom.scan" in name for name in names) == 1


def test_export_keeps_the_operation():
    cell, x, state, weights = plain("gru")

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w_x, self.w_h = torch.nn.Parameter(weights.w_x.detach()), torch.nn.Parameter(weights.w_h.detach())

        def forward(self, x):
            return native_scan(cell, x, state, Weights(self.w_x, self.w_h))[0]

    model = Model()
    program = torch.export.export(model, (x,), strict=False)
    assert "seqloom.scan" in program.graph_module.code
    assert torch.equal(program.module()(x), model(x))


def test_what_it_refuses_and_why():
    cell, x, _, weights = plain("gru")
    gates = torch.ones(5, 3, 8)
    assert supports(cell, x, weights) is None
    assert supports(cell, x.double(), weights) == "x is torch.float64, it has float32 only"
    assert supports(cell, x[:0], weights) == "x of shape (0, 6, 3) is empty"
    assert supports(cell, x, weights, recurrent_mask=gates) == "it has no recurrent_mask for each gate"
    soft = torch.ones(5, 3, requires_grad=True)
    assert supports(cell, x, weights, input_mask=soft) == "it has no gradient for input_mask"
    assert "named activations only" in (supports(Cell("gru", activation=torch.sin), x, weights) or "")
    assert "named activations only" in (supports(Cell("elman", activation="prelu"), x, weights) or "")
    assert "is on meta" in (supports(cell, x.to("meta"), weights) or "")


def test_a_child_of_fork_can_train():
    code = """
import os, torch
torch.set_num_threads(2)
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.scan import scan
w = [torch.full(s, .1, requires_grad=True) for s in ((3, 96), (32, 96))]
x = torch.randn(64, 5, 3)
def step():
    y, _ = scan(Cell("gru"), x, torch.zeros(64, 32), Weights(*w), backend="native")
    return torch.autograd.grad(y.sum(), w)[1].sum().item()
first = step()
pid = os.fork()
if pid == 0:
    os._exit(0 if step() == first else 1)
assert os.waitpid(pid, 0)[1] == 0
assert step() == first
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
