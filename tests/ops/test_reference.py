"""The readable scan against the NumPy twin, numbers by hand, finite differences, and properties of a recurrence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oracles.recurrent_cases import Case, random_case
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.kinds import KINDS
from seqloom.ops.reference import reference_scan


def assert_equals_twin(case: Case, tolerance: float = 1e-10, dtype: torch.dtype = torch.float64) -> None:
    outputs, _ = case.call(reference_scan, dtype)
    for found, expected in zip(outputs, case.twin(), strict=True):
        assert found.shape == expected.shape
        scale = max(np.abs(expected).max(initial=0.0), 1e-3)
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(25))
def test_numpy_twin(kind, seed):
    assert_equals_twin(random_case(1000 * seed + list(KINDS).index(kind), kind))


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(500))
def test_numpy_twin_sweep(seed):
    assert_equals_twin(random_case(10**6 + seed))


@pytest.mark.parametrize("seed", range(20))
def test_numpy_twin_float32(seed):
    assert_equals_twin(random_case(20_000 + seed), 2e-5, torch.float32)


EVERY_OPTION = [
    Cell("gru", reset_after=False, activation="relu", zoneout=0.3, candidate_dropout=0.2),
    Cell("gru", layer_norm=True, zoneout=0.3),
    Cell("gru", candidate_dropout=0.5, gate_activation="hard_sigmoid_02"),
    Cell(
        "lstm", peephole=True, coupled=True, cell_clip=0.2, projection=3, layer_norm=True, zoneout=0.2, zoneout_cell=0.4
    ),
    Cell("lstm", peephole=True, candidate_dropout=0.4),
    Cell("lstm", activation="prelu", gate_activation="hard_sigmoid"),
    Cell("elman", layer_norm=True, zoneout=0.5, activation="elu"),
    Cell("jordan", activation="softsign", output_activation="identity"),
]


@pytest.mark.parametrize("cell", EVERY_OPTION, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_every_option(cell, training):
    for seed in range(3):
        assert_equals_twin(random_case(seed, cell=cell).but(training=training))


def elman(x, h, w, activation="tanh"):
    """w: rows first for h, then for x, as the textbook prints it."""
    w, h = torch.tensor(w, dtype=torch.float64), torch.tensor(h, dtype=torch.float64)
    width = h.shape[1]
    weights = Weights(w_x=w[width:], w_h=w[:width])
    return reference_scan(Cell("elman", activation=activation), torch.tensor(x, dtype=torch.float64), h, weights)


def test_worked_step():
    w = [[1.5, -2.0], [0.0, 1.0], [-1.0, 0.5], [2.0, 0.0]]
    before, _ = elman([[[1.0, 0.0]]], [[0.0, 1.0]], w, "identity")
    assert before.tolist() == [[[-1.0, 1.5]]]
    after, _ = elman([[[1.0, 0.0]]], [[0.0, 1.0]], w)
    np.testing.assert_allclose(after[0, 0], [-0.7615942, 0.9051483], atol=1e-7)


def test_linear_net():
    """Two linear units, all weights 1, no bias, inputs of sum 1, 2, 3."""
    ones = np.ones((4, 2)).tolist()
    h, _ = elman([[[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]], [[0.0, 0.0]], ones, "identity")
    output = h @ torch.ones(2, 2, dtype=torch.float64)
    assert output.tolist() == [[[2.0, 2.0], [8.0, 8.0], [22.0, 22.0]]]
    h, _ = elman([[[1.0, 2.0], [1.0, 1.0], [1.0, 0.0]]], [[0.0, 0.0]], ones, "identity")
    assert (h @ torch.ones(2, 2, dtype=torch.float64))[0, -1].tolist() == [34.0, 34.0]


def test_coupled_is_one_minus_forget():
    """The coupled LSTM is the plain one whose input gate is 1 − f: with logistic gates that is a_i = −a_f."""
    case = random_case(5, cell=Cell("lstm", coupled=True)).but(
        mask=None, input_mask=None, recurrent_mask=None, reverse=False, last_only=False
    )
    outputs, _ = case.call(reference_scan)

    def widen(a: np.ndarray) -> np.ndarray:
        f, g, o = np.split(a, 3, axis=-1)
        return np.concatenate([-f, f, g, o], axis=-1)

    plain = case.but(cell=Cell("lstm"), weights={name: widen(a) for name, a in case.weights.items()})
    others, _ = plain.call(reference_scan)
    for a, b in zip(outputs, others, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_jordan_linear_by_hand():
    """One unit, φ = ψ = identity: h = 2x + 3y, y = 5h + 1, from y = 1 and x = 1, 2."""
    t = lambda v: torch.tensor([[v]], dtype=torch.float64)  # noqa: E731
    cell = Cell("jordan", activation="identity", output_activation="identity")
    weights = Weights(t(2.0), t(3.0), w_out=t(5.0), bias_out=t(1.0)[0])
    y, last = reference_scan(cell, torch.tensor([[[1.0], [2.0]]], dtype=torch.float64), t(1.0), weights)
    assert y.flatten().tolist() == [26.0, 411.0]
    assert last.tolist() == [[411.0]]  # pyright: ignore[reportAttributeAccessIssue]


def test_gru_with_z_of_one_keeps_its_state():
    case = random_case(3, cell=Cell("gru")).but(mask=None, last_only=False)
    size = case.h.shape[1]
    bias = np.zeros(3 * size)
    bias[size : 2 * size] = 1e4
    outputs, _ = case.but(weights={**case.weights, "bias": bias}).call(reference_scan)
    assert torch.equal(outputs[0], torch.from_numpy(case.h).unsqueeze(1).expand_as(outputs[0]))


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind):
    """Finite differences, for smooth activations (the others have corners that a difference may straddle)."""
    checked = 0
    for seed in range(40):
        case = random_case(seed, kind)
        cell = case.cell
        if {cell.activation, cell.gate_activation, cell.output_activation} - {
            "tanh",
            "sigmoid",
            "softplus",
            "identity",
        }:
            continue
        if cell.cell_clip is not None:
            continue
        _, leaves = case.call(reference_scan)

        def run(*tensors: torch.Tensor, case: Case = case) -> tuple[torch.Tensor, ...]:
            x, h, *rest = tensors
            c = rest.pop(0) if case.c is not None else None
            weights = Weights(**dict(zip(case.weights, rest, strict=True)))
            masks = {k: None if case.keywords[k] is None else torch.from_numpy(case.keywords[k]) for k in MASKS}
            keywords = {**case.keywords, **masks}
            y, state = reference_scan(case.cell, x, h if c is None else (h, c), weights, **keywords)
            return (y, *state) if isinstance(state, tuple) else (y, state)

        assert torch.autograd.gradcheck(run, tuple(leaves))
        checked += 1
        if checked == 4:
            break
    assert checked == 4


MASKS = ("mask", "input_mask", "recurrent_mask")


@pytest.mark.parametrize("kind", KINDS)
def test_nan_in_padding_reaches_nothing(kind):
    case = random_case(8, kind)
    mask = np.ones(case.x.shape[:2], dtype=bool)
    mask[:, 0] = False
    x = case.x.copy()
    x[:, 0] = np.nan
    outputs, leaves = case.but(x=x, mask=mask).call(reference_scan)
    clean, clean_leaves = case.but(mask=mask).call(reference_scan)
    grads = torch.autograd.grad(outputs[0].sum(), leaves, allow_unused=True)
    clean_grads = torch.autograd.grad(clean[0].sum(), clean_leaves, allow_unused=True)
    for a, b in zip([*outputs, *grads], [*clean, *clean_grads], strict=True):
        assert (a is None and b is None) or torch.equal(a, b)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last_only", [False, True])
def test_empty_and_all_masked(kind, last_only):
    case = random_case(4, kind).but(mask=None, last_only=last_only, input_mask=None, recurrent_mask=None)
    batch, steps = case.x.shape[:2]
    for changes in (
        {"x": case.x[:, :0]},
        {"x": case.x[:0], "h": case.h[:0], "c": None if case.c is None else case.c[:0]},
        {"mask": np.zeros((batch, steps), dtype=bool)},
    ):
        outputs, leaves = case.but(**changes).call(reference_scan)
        states = list(leaves[1 : len(outputs)])
        for found, start in zip(outputs[1:], states, strict=True):
            assert torch.equal(found, start)
            assert found.data_ptr() != start.data_ptr() or found.numel() == 0
        x = changes.get("x", case.x)
        assert tuple(outputs[0].shape) == (x.shape[0], *(() if last_only else (x.shape[1],)), case.h.shape[1])
        assert outputs[0].data_ptr() != outputs[1].data_ptr() or outputs[0].numel() == 0


seeds = st.integers(0, 10**6)


@given(seeds)
def test_causal(seed):
    """What comes after step t changes no bit of y_t."""
    case = random_case(seed).but(reverse=False, last_only=False)
    steps = case.x.shape[1]
    x = case.x.copy()
    cut = seed % steps
    x[:, cut + 1 :] += 7.5
    before, _ = case.call(reference_scan)
    after, _ = case.but(x=x).call(reference_scan)
    assert torch.equal(before[0][:, : cut + 1], after[0][:, : cut + 1])


@given(seeds)
def test_mask_is_truncation(seed):
    """Rows masked from step n on end like rows of n steps."""
    case = random_case(seed).but(reverse=False, last_only=False)
    n = seed % (case.x.shape[1] + 1)
    mask = np.broadcast_to(np.arange(case.x.shape[1]) < n, case.x.shape[:2]).copy()
    masked, _ = case.but(mask=mask).call(reference_scan)
    short, _ = case.but(mask=None, x=case.x[:, :n]).call(reference_scan)
    torch.testing.assert_close(masked[0][:, :n], short[0], rtol=1e-12, atol=1e-12)
    for a, b in zip(masked[1:], short[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@given(seeds)
def test_reverse_is_flip(seed):
    case = random_case(seed).but(reverse=True, last_only=False, training=False)
    mask = case.keywords["mask"]
    flipped = case.but(reverse=False, x=case.x[:, ::-1].copy(), mask=None if mask is None else mask[:, ::-1].copy())
    for a, b in zip(case.call(reference_scan)[0], flipped.call(reference_scan)[0], strict=True):
        torch.testing.assert_close(a, b.flip(1) if a.dim() == 3 else b, rtol=1e-12, atol=1e-12)


@given(seeds)
def test_permuting_the_batch_permutes_the_result(seed):
    case = random_case(seed).but(training=False)
    order = np.random.default_rng(seed).permutation(case.x.shape[0])
    pick = lambda a: None if a is None else a[order]  # noqa: E731
    keywords = {name: pick(case.keywords[name]) for name in MASKS}
    moved = case.but(x=case.x[order], h=case.h[order], c=pick(case.c), **keywords)
    for a, b in zip(moved.call(reference_scan)[0], case.call(reference_scan)[0], strict=True):
        torch.testing.assert_close(a, b[torch.from_numpy(order)], rtol=1e-12, atol=1e-12)


def test_draws_repeat_and_differ():
    cell = Cell("lstm", zoneout=0.3, zoneout_cell=0.3, candidate_dropout=0.3)
    case = random_case(9, cell=cell).but(training=True, mask=None)
    runs = [
        case.but(rng=StepRandom(*key)).call(reference_scan)[0][0]
        for key in ((1, 2, 3), (1, 2, 3), (2, 2, 3), (1, 3, 3))
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], runs[3])


def test_second_derivative():
    case = random_case(2, cell=Cell("gru")).but(training=False)
    outputs, leaves = case.call(reference_scan)
    (first,) = torch.autograd.grad(outputs[0].square().sum(), leaves[0], create_graph=True)
    second = torch.autograd.grad(first.square().sum(), leaves)
    assert all(torch.isfinite(g).all() for g in second)
    assert second[0].abs().sum() > 0
