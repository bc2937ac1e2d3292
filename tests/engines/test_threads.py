"""One thread: for torch and for the BLAS of NumPy while a block runs, and as many as before behind it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from seqloom.engines import LocalEngine, one_thread
from seqloom.engines.threads import blas_threads


def breaks_off() -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
        assert set(blas_threads().values()) <= {1}
        with one_thread():  # one block inside another
            assert torch.get_num_threads() == 1
        assert set(blas_threads().values()) <= {1}
        raise KeyError


def test_threads_are_as_before_behind_the_block() -> None:
    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    before, of_blas = torch.get_num_threads(), blas_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError):
            breaks_off()
        assert torch.get_num_threads() == 2
        assert blas_threads() == of_blas
    finally:
        torch.set_num_threads(before)


_BLAS_OF_TWO = """
import numpy as np
from seqloom.engines import one_thread
from seqloom.engines.threads import blas_threads
before = blas_threads()  # two, or one where there is one processor
with one_thread():
    assert set(blas_threads().values()) == {1}
assert blas_threads() == before, blas_threads()
from seqloom import SequenceClassifier
from seqloom.engines import LocalEngine
from seqloom.tasks.comparison import compare_models
x, y = [np.full((4, 2), float(n % 2)) for n in range(12)], ["a", "b"] * 6
models = {m: SequenceClassifier(model=m, units=3, epochs=1, batch_size=4) for m in ("majority", "gru")}
parts = {"train": (x, y), "valid": (x, y), "test": (x, y)}
compare_models("sequences", models, parts, baseline="majority", engine=LocalEngine(1))
assert blas_threads() == before, blas_threads()
"""


def test_a_comparison_by_workers_leaves_the_blas_of_this_process_as_it_was() -> None:
    if not blas_threads():
        pytest.skip("NumPy has no OpenBLAS here")
    done = subprocess.run(
        [sys.executable, "-c", _BLAS_OF_TWO],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]


def threads_of_a_worker(shared: object, job: object, tell: object) -> list[int]:
    return [torch.get_num_threads(), *sorted(set(blas_threads().values()))]


def test_a_worker_has_one_of_each() -> None:
    found = LocalEngine(1).run(threads_of_a_worker, None, [0])[0]
    assert set(found) == {1}
