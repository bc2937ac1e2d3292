"""What the compiled scan does with odd inputs: strides, empty sizes, NaN, denormals, weights that change, memory."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import torch

from oracles.engine_checks import HOW, assert_not_finite_alike, spread
from oracles.memory import allocated, glibc_only
from oracles.native_cases import run
from oracles.recurrent_cases import Case, random_case
from seqloom.errors import BackendError, SettingError
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.kinds import KINDS
from seqloom.ops.reference import reference_scan
from seqloom.ops.scan import explain, scan
from seqloom_runtime import native

pytestmark = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")

native_scan = functools.partial(scan, backend="native")
GATES = {"elman": 1, "jordan": 1, "lstm": 4, "gru": 3}


def plain_case(kind: str, sizes: tuple[int, int, int, int] = (5, 6, 3, 7)) -> Case:
    """With every mask and every step's output."""
    case = random_case(3, cell=Cell(kind), sizes=sizes)
    rng = np.random.default_rng(4)
    case.weights.setdefault("bias", rng.standard_normal(case.weights["w_x"].shape[1]))
    return case.but(
        mask=rng.random(case.x.shape[:2]) < 0.7,
        input_mask=(rng.random((sizes[0], sizes[2])) < 0.7) / 0.7,
        recurrent_mask=(rng.random(case.h.shape) < 0.7) / 0.7,
        last_only=False,
    )


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", KINDS)
def test_strides(kind, how):
    """Of inputs, states, weights, masks and incoming gradients."""
    case = plain_case(kind)

    def scattered(cell: Cell, x: Any, state: Any, weights: Weights, **keywords: Any) -> Any:
        state = tuple(spread(s, how) for s in state) if isinstance(state, tuple) else spread(state, how)
        weights = Weights(**{name: spread(w, how) for name, w in weights.items()})
        keywords = {k: spread(v, how) if isinstance(v, torch.Tensor) else v for k, v in keywords.items()}
        y, last = native_scan(cell, spread(x, how), state, weights, **keywords)
        assert y.is_contiguous()
        return spread(y, how), last  # so that its gradient arrives with strides too

    for (name, found), expected in zip(run(case, scattered).items(), run(case, native_scan).values(), strict=True):
        assert found.tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("kind", KINDS)
def test_expanded_arguments(kind):
    """One row for the whole batch, one step for all times: gradients add up in the one."""
    case = random_case(3, cell=Cell(kind), sizes=(1, 1, 3, 7)).but(
        mask=None, input_mask=None, recurrent_mask=None, last_only=False
    )

    def expanded(cell: Cell, x: torch.Tensor, state: Any, weights: Weights, **keywords: Any) -> Any:
        state = tuple(s.expand(6, -1) for s in state) if isinstance(state, tuple) else state.expand(6, -1)
        return keywords.pop("engine")(cell, x.expand(6, 5, -1), state, weights, **keywords)

    for (name, found), expected in zip(
        run(case, expanded, engine=native_scan).items(),
        run(case, expanded, torch.float64, engine=reference_scan).values(),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()), err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(0, 4, 3, 5), (2, 0, 3, 5), (0, 0, 3, 5), (2, 4, 0, 5)], ids=str)
def test_empty_inputs(kind, sizes):
    """No rows, no steps, no inputs: another engine runs, and results have their shapes and gradients."""
    case = random_case(5, cell=Cell(kind), sizes=sizes).but(input_mask=None, recurrent_mask=None, last_only=False)
    case = case.but(mask=None)
    outputs, leaves = case.call(scan, torch.float32)
    expected, _ = case.call(reference_scan, torch.float64)
    for found, exact in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), exact.detach().numpy(), atol=1e-6)
    total: Any = sum(o.square().sum() for o in outputs)
    for grad, leaf in zip(torch.autograd.grad(total, leaves, allow_unused=True), leaves, strict=True):
        assert grad is None or grad.shape == leaf.shape
    with pytest.raises(BackendError, match=r"can't run this \w+: x of shape .* is empty"):
        case.call(native_scan, torch.float32)
    assert "not native: x of shape" in explain(case.cell, torch.zeros(sizes[:3]), weights_of(case))


def weights_of(case: Case) -> Weights:
    return Weights(**{name: torch.from_numpy(w).float() for name, w in case.weights.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_no_hidden_units(kind):
    empty = Weights(torch.zeros(3, 0), torch.zeros(0, 0), w_out=torch.zeros(0, 0) if kind == "jordan" else None)
    state = torch.zeros(2, 0)
    with pytest.raises(SettingError, match=r"not 0 columns"):
        native_scan(Cell(kind), torch.zeros(2, 4, 3), (state, state) if kind == "lstm" else state, empty)


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_whose_every_step_is_masked(kind, last_only):
    """They give back their state and take gradients to it alone, though the input there is NaN."""
    case = plain_case(kind)
    mask = case.keywords["mask"].copy()
    mask[[0, 3]] = False
    x = case.x.copy()
    x[~mask] = np.nan
    case = dataclasses.replace(case, x=x).but(mask=mask, last_only=last_only)
    found = run(case, native_scan)
    h = case.h[[0, 3]].astype(np.float32)
    y = found["y"][[0, 3]]
    np.testing.assert_array_equal(y, h if last_only else np.broadcast_to(h[:, None], y.shape))
    np.testing.assert_array_equal(found["last h"][[0, 3]], h)
    assert not found["dx"][~mask].any()
    assert all(np.isfinite(value).all() for value in found.values())
    nothing = dataclasses.replace(case).but(mask=np.zeros_like(mask))
    found = run(dataclasses.replace(nothing, x=np.full_like(x, np.nan)), native_scan)
    assert not any(found[f"d{name}"].any() for name in ("x", *case.weights))
    assert found["dh"].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "h", "w_h", "bias"])
@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_spread_as_in_the_reference(kind, where, bad):
    """The same outputs and gradients are not finite; the others keep their values. 7 units: not whole vectors."""
    case = plain_case(kind).but(mask=None, input_mask=None, recurrent_mask=None, reverse=False)
    places = {"x": case.x.copy(), "h": case.h.copy(), **{name: w.copy() for name, w in case.weights.items()}}
    places[where].ravel()[0 if where != "x" else 3 * 2] = bad  # x: third step of the first row
    weights = {name: places[name] for name in case.weights}
    case = dataclasses.replace(case, x=places["x"], h=places["h"], weights=weights)
    found, expected = run(case, native_scan), run(case, reference_scan)
    for name, value in expected.items():
        assert_not_finite_alike(found[name], value, name)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "elu", "softsign", "softplus", "hard_sigmoid"])
def test_every_activation_keeps_nan(activation):
    x = torch.full((1, 1, 20), torch.nan)
    y, _ = native_scan(
        Cell("elman", activation=activation), x, torch.zeros(1, 20), Weights(torch.eye(20), torch.eye(20))
    )
    assert y.isnan().all()


@pytest.mark.parametrize("where", ["x", "h", "w_h"])
def test_sparse_tensors_are_refused(where):
    tensors = {"x": torch.ones(2, 4, 3), "h": torch.ones(2, 5), "w_h": torch.ones(5, 15)}
    tensors[where] = tensors[where].to_sparse()
    with pytest.raises(SettingError, match=r"must be a dense tensor, not torch.sparse_coo; call"):
        scan(Cell("gru"), tensors["x"], tensors["h"], Weights(torch.ones(3, 15), tensors["w_h"]))


def test_weights_that_change_in_place_are_never_stale():
    """An optimizer step, a copy into .data, a change through NumPy: the next call sees the new numbers."""
    torch.manual_seed(0)
    w_x, w_h = torch.randn(3, 21, requires_grad=True), torch.randn(7, 21, requires_grad=True)
    x, h = torch.randn(4, 5, 3), torch.zeros(4, 7)

    def call() -> torch.Tensor:
        return native_scan(Cell("gru"), x, h, Weights(w_x, w_h))[0]

    def fresh() -> torch.Tensor:
        return native_scan(Cell("gru"), x, h, Weights(w_x.detach().clone(), w_h.detach().clone()))[0]

    optimizer = torch.optim.Adam([w_x, w_h], lr=0.1)
    seen = []

    def check() -> None:
        y = call()
        assert torch.equal(y, fresh())
        assert all(not torch.equal(y, before) for before in seen)
        seen.append(y.detach())

    for _ in range(3):
        check()
        call().square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    check()
    w_h.data.copy_(torch.randn(7, 21))
    check()
    w_x.detach().numpy()[...] *= 0.5
    check()
    with torch.no_grad():
        w_x.add_(1.0)
    check()


def test_sizes_beyond_32_bits_are_read_in_full():
    """Argument checks see sizes of expanded tensors, which hold one number; nothing is allocated."""
    huge = 2**32 + 2
    w = Weights(torch.zeros(1, 6), torch.zeros(2, 6))
    one = torch.zeros(1)
    with pytest.raises(SettingError, match=rf"state of the gru cell must have shape .* \({huge}, 2\), not \(2, 2\)"):
        native_scan(Cell("gru"), one.expand(huge, 1, 1), torch.zeros(2, 2), w)
    with pytest.raises(SettingError, match=rf"mask must have shape .* \(2, {huge}\), not \(2, 2\)"):
        native_scan(Cell("gru"), one.expand(2, huge, 1), torch.zeros(2, 2), w, mask=torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(SettingError, match=rf"weights.w_x must have shape .*{huge}, 6\), not \(1, 6\)"):
        native_scan(Cell("gru"), one.expand(2, 3, huge), torch.zeros(2, 2), w)
    wide = Weights(one.expand(1, 3 * huge), torch.zeros(2, 6))
    with pytest.raises(SettingError, match=rf"weights.w_h must have shape .*{huge}, {3 * huge}\), not \(2, 6\)"):
        native_scan(Cell("gru"), torch.zeros(2, 3, 1), torch.zeros(2, 2), wide)


def test_results_too_large_for_the_memory_are_refused():
    """Sizes whose product is beyond 32 and 63 bits: an error of the allocation, not a short buffer."""
    one = torch.zeros(1)
    batch = 2**33
    with pytest.raises((RuntimeError, MemoryError)), torch.no_grad():
        native_scan(
            Cell("gru"),
            one.expand(batch, 2**20, 1),
            one.expand(batch, 2**10),
            Weights(*(torch.zeros(n, 3 * 2**10) for n in (1, 2**10))),
        )


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_2_31_bytes_of_offsets(kind):
    """Rows that lie further apart than 32 bits of numbers can say, in memory that is never touched between them."""
    stride = 2**30 + 3
    base = torch.empty(0)
    try:
        base = torch.from_numpy(np.zeros(3 * stride, dtype=np.float32))  # pages are made when touched
    except MemoryError:
        pytest.skip("the system promises no 12 GiB of address space")
    case = plain_case(kind, (3, 2, 3, 7))
    x = base.as_strided((3, 2, 3), (stride, 3, 1))
    x.copy_(torch.from_numpy(case.x))

    def far(cell: Cell, _: torch.Tensor, state: Any, weights: Weights, **keywords: Any) -> Any:
        return native_scan(cell, x, state, weights, **keywords)

    with torch.no_grad():
        found, expected = case.call(far, torch.float32)[0], case.call(native_scan, torch.float32)[0]
    assert torch.equal(found[0], expected[0])


def denormal_flags() -> int:
    """Bits of the processor's control register that flush denormal numbers."""
    library = ctypes.CDLL(None)
    environment = (ctypes.c_uint32 * 8)()  # fenv_t of x86-64: mxcsr is its last word
    library.fegetenv(ctypes.byref(environment))
    return int(environment[7]) & 0x8040


@pytest.mark.parametrize("flush", [False, True])
def test_the_callers_treatment_of_denormal_numbers_is_kept(flush):
    before = denormal_flags()
    if not torch.set_flush_denormal(flush):
        pytest.skip("torch can't flush denormal numbers here")
    try:
        mode = denormal_flags()
        assert bool(mode) == flush
        run(plain_case("lstm", (40, 4, 3, 20)), native_scan)
        assert denormal_flags() == mode
        tiny = torch.tensor([1e-39]) * 0.5
        assert bool(tiny.item()) != flush
    finally:
        torch.set_flush_denormal(bool(before))


@pytest.mark.parametrize("kind", KINDS)
def test_denormal_numbers_count_as_zero(kind):
    """In inputs, states and weights: within 1e-30 of the reference."""
    case = plain_case(kind)
    case = dataclasses.replace(case, x=np.full_like(case.x, 1e-40), h=np.full_like(case.h, 1e-41))
    case.weights["w_x"][:, 0] = 3e-39
    for (name, found), expected in zip(
        run(case, native_scan).items(), run(case, reference_scan, torch.float64).values(), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1.0, np.abs(expected).max()), err_msg=name)


@glibc_only
@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow(kind, tmp_path):
    """Over 75 forward and backward passes, of sizes small and large in turn."""
    cases = [plain_case(kind, sizes) for sizes in ((5, 6, 3, 7), (40, 20, 3, 33), (64, 3, 17, 128))]

    def rounds(count: int) -> None:
        for _ in range(count):
            for case in cases:
                run(case, native_scan)

    rounds(12)
    before = allocated(tmp_path / "malloc.xml")
    rounds(25)
    assert allocated(tmp_path / "malloc.xml") - before < 96 << 10


@glibc_only
def test_a_leak_of_two_kilobytes_a_call_would_be_seen(tmp_path):
    library: Any = ctypes.CDLL(None)
    before = allocated(tmp_path / "malloc.xml")
    library.malloc.restype = ctypes.c_void_p
    leaked = [library.malloc(ctypes.c_size_t(2048)) for _ in range(75)]
    found = allocated(tmp_path / "malloc.xml") - before
    for block in leaked:
        library.free(ctypes.c_void_p(block))
    assert found > 96 << 10
