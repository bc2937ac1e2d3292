"""What the tests of the compiled scan and of the compiled convolution ask alike: bits, strides, torch's transforms."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from seqloom.errors import BackendError
from seqloom_runtime import native

ROOT = Path(__file__).resolve().parents[2]
ISAS = [isa for isa in ("portable", "avx2", "avx512") if isa == "portable" or native.cpu_features().get(isa)]
EVERY_MISTAKE = re.findall(r"^    X\((\w+)\)", (ROOT / "runtime/native/src/planted.h").read_text(), re.MULTILINE)
HOW = ("transposed", "every second", "huge strides")
Arrays = Mapping[str, np.ndarray]

of_a_transform = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, inside its rules


def assert_same_bits(found: Arrays, expected: Arrays) -> None:
    for name, value in expected.items():
        assert value.tobytes() == found[name].tobytes(), name


def check_own_threads_and_torch_s(run: Callable[[], Arrays]) -> int:
    """Our own threads and torch's give the same bits; returns how many workers of our own there were."""
    module = native.module()
    assert module is not None
    expected = run()
    shared = module.sharing_openmp()
    torch.set_num_threads(3)
    module.stop_sharing_openmp()
    try:
        assert_same_bits(run(), expected)
        workers = module.own_workers()
    finally:
        if shared:
            module.share_openmp("torch")
    assert_same_bits(run(), expected)
    return workers


def check_instruction_sets(run: Callable[[], Arrays], telling: str) -> None:
    """Forced in turn; they round in another order, so not to the bit, but each is what it is called.

    `telling` names an array in which the rounding shows.
    """
    module = native.module()
    assert module is not None
    before = module.isa()
    found = {}
    try:
        for isa in ISAS:
            module.use_isa(isa)
            assert module.isa() == isa
            found[isa] = run()
    finally:
        module.use_isa(before)
    for isa in ISAS:
        for name, value in found[isa].items():
            np.testing.assert_allclose(value, found["portable"][name], rtol=0, atol=1e-5 * np.abs(value).max())
    if len(ISAS) > 1:
        assert found[ISAS[-1]][telling].tobytes() != found["portable"][telling].tobytes()


def check_error_rule_with(isa: str, file: str, *only: str) -> None:
    """The fast selection of the error rule in `file`, in a process of its own with the instruction set forced."""
    module = native.module()
    assert module is not None
    if isa == module.isa():
        pytest.skip(f"this process runs it already, in {file}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not deep"]
    done = subprocess.run(
        [*command, str(ROOT / "tests/ops" / file), *only],
        env={**os.environ, "SEQLOOM_ISA": isa, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def spread(t: torch.Tensor, how: str) -> torch.Tensor:
    """The same numbers in memory of another shape, one of `HOW`."""
    if how == "transposed":
        return t.transpose(0, -1).contiguous().transpose(0, -1)
    if how == "every second":
        wide = torch.full((*t.shape[:-1], 2 * t.shape[-1]), 7, dtype=t.dtype)
        wide[..., ::2] = t
        return wide[..., ::2]
    wide = torch.full((*(n + 3 for n in t.shape[:-1]), t.shape[-1] + 100_003), 7, dtype=t.dtype)
    view = wide[tuple(slice(1, n + 1) for n in t.shape)]
    view.copy_(t)
    return view


def assert_not_finite_alike(found: np.ndarray, expected: np.ndarray, name: str) -> None:
    """NaN and infinity stand at the same places, and the other numbers are the same."""
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected), err_msg=name)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-4, atol=1e-4, err_msg=name)


class Recorded(TorchDispatchMode):
    """Keeps the calls of our operators."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple[Any, list[Any]]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "seqloom":
            self.calls.append((func, [a.detach() if isinstance(a, torch.Tensor) else a for a in args]))
        return func(*args, **(kwargs or {}))


def transforms(x: torch.Tensor) -> dict[str, Callable[[Any], Any]]:
    """Ways of torch to look through a function, each taken at x."""
    return {
        "jvp": lambda f: torch.func.jvp(f, (x,), (x.cos(),))[1],
        "grad": lambda f: torch.func.grad(lambda x: f(x).square().sum())(x),
        "vmap": lambda f: torch.func.vmap(f)(torch.stack([x, x + 1])),
        "jacfwd": lambda f: torch.func.jacfwd(f)(x),
        "jacrev": lambda f: torch.func.jacrev(f)(x),
        "hessian": lambda f: torch.func.hessian(lambda x: f(x).square().sum())(x),
        "jacobian": lambda f: torch.autograd.functional.jacobian(f, x, vectorize=True),
        "second derivatives": lambda f: torch.autograd.functional.hessian(lambda x: f(x).square().sum(), x),
    }


TRANSFORMS = tuple(transforms(torch.zeros(1)))


def check_transform(name: str, output: Callable[..., torch.Tensor], x: torch.Tensor, refusal: str) -> None:
    """An engine that has no rule for a transform must not answer with zero or nothing: another runs."""
    take = transforms(x)[name]
    found = take(output)
    torch.testing.assert_close(found, take(functools.partial(output, backend="reference")))
    assert found.abs().max() > 1e-3
    if name not in ("jacobian", "second derivatives"):  # autograd's own, which the engines know
        with pytest.raises(BackendError, match=refusal):
            take(functools.partial(output, backend="native"))


def check_forward_mode(output: Callable[[torch.Tensor, str], torch.Tensor], x: torch.Tensor) -> None:
    tangents = []
    for backend in ("auto", "reference"):
        with forward_ad.dual_level():
            y = output(forward_ad.make_dual(x, x.sin()), backend)
            tangents.append(forward_ad.unpack_dual(y).tangent)
    torch.testing.assert_close(*tangents)
