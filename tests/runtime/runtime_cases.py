"""An estimator, its folder loaded by seqloom and its folder loaded by the runtime, asked the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
import seqloom_runtime
from seqloom_runtime.model_folder import read_model, write_model

FORBIDDEN = ("torch", "seqloom", "scipy", "statsmodels", "polars", "narwhals", "pandas", "sklearn")

# What runs without torch: it loads a folder, asks it and says what was imported.
_ALONE = """
import sys
import numpy as np
import seqloom_runtime
model = seqloom_runtime.load(sys.argv[1])
{asks}
print(",".join(name for name in {forbidden!r} if name in sys.modules))
"""


def three(estimator: Any, folder: Path) -> tuple[Any, Any, Any]:
    """The fitted estimator, and what seqloom and the runtime load of its folder."""
    estimator.save(folder)
    return estimator, seqloom.load(folder), seqloom_runtime.load(folder)


def agree(estimator: Any, folder: Path, *asks: Callable[[Any], Any]) -> None:
    """Assert that all three answer the same, bit for bit; and to rounding without the compiled module."""
    found = three(estimator, folder)
    for ask in asks:
        first, *others = (ask(model) for model in found)
        for other in others:
            same(first, other)
    with without_native():
        for ask in asks:
            close(ask(found[0]), ask(found[2]), ask)


def same(a: Any, b: Any) -> None:
    """Assert that two answers are the same bytes."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b):
            same(one, other)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tolist() == b.tolist() if a.dtype.kind == "O" else a.tobytes() == b.tobytes()
    else:
        assert a == b or (a != a and b != b)


def close(a: Any, b: Any, ask: Any = None) -> None:
    """Assert that two answers are alike to rounding, numbers of them that are no labels."""
    if isinstance(a, dict):
        a, b = list(a.values()), list(b.values())
    if isinstance(a, (list, tuple)):
        for one, other in zip(a, b):
            close(one, other, ask)
    elif isinstance(a, np.ndarray) and a.dtype.kind == "f":
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@contextmanager
def without_native() -> Iterator[None]:
    """The readable fallbacks in place of the compiled module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQLOOM_NATIVE", "0")
        yield


def imported_alone(folder: Path, asks: str) -> list[str]:
    """Of what a runtime without torch may not import, what it did in a process of its own that runs `asks`."""
    program = _ALONE.format(asks=asks, forbidden=FORBIDDEN)
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [name for name in done.stdout.strip().splitlines()[-1:][0].split(",") if name] if done.stdout.strip() else []


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, np.ndarray]], None]) -> None:
    """The same folder with a change and right checksums."""
    header, arrays = read_model(path)
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(header, arrays)
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(path, header["task"], body, arrays)
