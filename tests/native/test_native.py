"""The compiled module and the way to it: instruction sets, threads, fork, window gather."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom_runtime import native

compiled = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter with extra environment variables."""
    kept = {k: v for k, v in os.environ.items() if k not in ("SEQLOOM_ISA", "SEQLOOM_NATIVE")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@compiled
def test_flavour_names_the_instruction_set():
    module = native.module()
    assert module is not None
    assert native.flavour() == f"compiled ({module.isa()})"
    assert set(native.cpu_features()) == {"avx2", "avx512"}


@compiled
@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_the_environment_forces_an_instruction_set(isa: str):
    done = run_python("from seqloom_runtime import native; print(native.flavour())", SEQLOOM_ISA=isa)
    if isa != "portable" and not native.cpu_features()[isa]:
        assert f"SEQLOOM_ISA='{isa}' can't be met" in done.stderr
    else:
        assert done.stdout.strip() == f"compiled ({isa})"


@compiled
def test_an_unknown_instruction_set_is_refused_in_a_sentence():
    done = run_python("from seqloom_runtime import native; native.module()", SEQLOOM_ISA="sse9")
    assert (
        "SettingError: SEQLOOM_ISA='sse9' can't be met: the instruction set must be portable, avx2 or avx512"
        in done.stderr
    )


def test_the_environment_turns_the_module_off():
    code = "from seqloom_runtime import native; print(native.module(), native.flavour())"
    assert run_python(code, SEQLOOM_NATIVE="0").stdout.strip() == "None pure Python: turned off by SEQLOOM_NATIVE=0"
    assert "SEQLOOM_NATIVE must be 0 (off) or 1 (on), not 'no'" in run_python(code, SEQLOOM_NATIVE="no").stderr


def test_threads_follow_torch_and_otherwise_the_environment():
    code = (
        "from seqloom_runtime.native import threads as n; a = n(); "
        "import torch; torch.set_num_threads(3); print(a, n())"
    )
    assert run_python(code, OMP_NUM_THREADS="5").stdout.split() == ["5", "3"]


def gather(matrix, origins, first, length, every, threads=1):
    module = native.module()
    assert module is not None
    out = np.full((len(origins), length, matrix.shape[1]), np.nan, np.float32)
    module.gather_windows(matrix, np.asarray(origins, np.int64), first, length, every, out, threads)
    return out


@compiled
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 60),
    st.integers(0, 9),
    st.integers(1, 5),
    st.integers(0, 6),
    st.integers(1, 3),
)
def test_gather_equals_numpy_indexing(seed: int, count: int, length: int, every: int, columns: int, threads: int):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(90, columns)).astype(np.float32)
    origins = rng.integers(45, 90, count)
    first = -every * (length - 1) if length else 0
    index = origins[:, None] + first + every * np.arange(length)
    np.testing.assert_array_equal(gather(matrix, origins, first, length, every, threads), matrix[index])


@compiled
def test_gather_names_the_window_that_reaches_outside():
    matrix = np.zeros((10, 2), np.float32)
    with pytest.raises(IndexError, match=r"window 1 with origin 2 needs rows -1 to 1, but the table has rows 0 to 9"):
        gather(matrix, [5, 2], -3, 3, 1)
    with pytest.raises(IndexError, match=r"window 0 with origin 9 needs rows 9 to 10"):
        gather(matrix, [9], 0, 2, 1)


@compiled
def test_gather_refuses_wrong_arrays():
    module = native.module()
    assert module is not None
    good = np.zeros((10, 2), np.float32), np.array([3], np.int64), np.zeros((1, 2, 2), np.float32)
    with pytest.raises(ValueError, match=r"out must have shape \(1, 2, 2\), not \(1, 3, 2\)"):
        module.gather_windows(good[0], good[1], 0, 2, 1, np.zeros((1, 3, 2), np.float32), 1)
    with pytest.raises(TypeError):
        module.gather_windows(good[0].astype(np.float64), good[1], 0, 2, 1, good[2], 1)
    with pytest.raises(TypeError):
        module.gather_windows(good[0], good[1].astype(np.int32), 0, 2, 1, good[2], 1)
    with pytest.raises(TypeError):
        module.gather_windows(good[0][:, ::-1], good[1], 0, 2, 1, good[2], 1)


@compiled
@pytest.mark.parametrize("with_torch", [False, True], ids=["own threads", "torch's threads"])
def test_a_child_of_fork_can_use_threads(with_torch: bool):
    code = f"""
import json, os, sys
import numpy as np
if {with_torch}:
    import torch
    torch.set_num_threads(2)
    torch.randn(512, 512) @ torch.randn(512, 512)
from seqloom_runtime import native
m = native.module()
def work():
    matrix = np.arange(40000, dtype=np.float32).reshape(-1, 4)
    out = np.empty((4000, 100, 4), np.float32)
    m.gather_windows(matrix, np.arange(4000), 0, 100, 1, out, 2)
    return float(out[3999, 99, 3])
first = work()
shared = m.sharing_openmp()
pid = os.fork()
if pid == 0:
    ok = work() == first and not m.sharing_openmp() and m.own_workers() == 1
    os._exit(0 if ok else 1)
status = os.waitpid(pid, 0)[1]
print(json.dumps([first, shared, status, work()]))
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    first, shared, status, again = json.loads(done.stdout)
    assert (first, shared, status, again) == (16395.0, with_torch, 0, 16395.0)
