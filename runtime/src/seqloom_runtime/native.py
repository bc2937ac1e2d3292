"""The way to the compiled module: whether it is there, which build of its kernels runs, and its threads.

Environment: SEQLOOM_NATIVE=0 turns the module off; SEQLOOM_ISA=portable|avx2|avx512 forces a build of the kernels, for
tests and for comparing machines.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from types import ModuleType
from typing import Any

from .errors import SettingError

__all__ = ["cpu_features", "flavour", "module", "threads"]


def module() -> ModuleType | None:
    """Return the compiled module, set up, or None where it is missing or turned off.

    Raises SettingError where SEQLOOM_ISA or SEQLOOM_NATIVE holds something that can't be met.
    """
    if not _wanted():
        return None
    found = _load()
    if found is not None:
        _force(found, _setting("SEQLOOM_ISA", ""))
        _share_threads(found)
    return found


def flavour() -> str:
    """Return which installation this is, in words.

    >>> flavour().startswith(("compiled (", "pure Python"))
    True
    """
    if not _wanted():
        return "pure Python: turned off by SEQLOOM_NATIVE=0"
    found = module()
    return "pure Python: no native module" if found is None else f"compiled ({found.isa()})"


def cpu_features() -> dict[str, bool]:
    """Return what this processor offers, as far as the kernels care; empty without the module."""
    found = _load()
    return {} if found is None else dict(found.cpu_features())


def threads() -> int:
    """Return the number of threads to use: torch's setting where torch is loaded, else OMP_NUM_THREADS or all cores."""
    # Not imported: programs that cut windows alone don't wait for torch.
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    # OpenMP takes a list, one number for each level of nesting; the first is ours.
    setting = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    # The cores that this process may use: a container or taskset may leave it fewer than the machine has.
    return max(1, int(setting)) if setting.isdigit() else len(os.sched_getaffinity(0))


_ENCODED = {name: os.fsencode(name) for name in ("SEQLOOM_ISA", "SEQLOOM_NATIVE")}
_RAW: Any = getattr(os.environ, "_data", None)
"""What os.environ holds, in bytes: asked for a name that is not there it takes half a microsecond, in every call."""


def _setting(name: str, default: str) -> str:
    """A variable of the environment as it is now."""
    if _RAW is not None and _ENCODED[name] not in _RAW:
        return default
    return os.environ.get(name, default)


def _wanted() -> bool:
    value = _setting("SEQLOOM_NATIVE", "1")
    if value not in ("", "0", "1"):
        raise SettingError(f"SEQLOOM_NATIVE must be 0 (off) or 1 (on), not {value!r}.")
    return value != "0"


@functools.cache
def _load() -> ModuleType | None:
    try:
        return importlib.import_module("seqloom_runtime._native")
    except ModuleNotFoundError as error:
        # A module that is there but lacks something is broken, and must not pass for a pure-Python installation.
        if error.name != "seqloom_runtime._native":
            raise
        return None


# One entry: asked in every call, and acted on only when the variable has changed.
@functools.lru_cache(maxsize=1)
def _force(found: ModuleType, name: str) -> None:
    try:
        found.use_isa(name)
    except ValueError as error:
        raise SettingError(f"SEQLOOM_ISA={name!r} can't be met: {error}") from None


@functools.cache
def _torch_shared(found: ModuleType) -> bool:
    """Use the workers of torch's OpenMP runtime: after its operations they spin and would take the cores from ours."""
    return bool(found.share_openmp("torch"))


def _share_threads(found: ModuleType) -> None:
    # Asked again until torch is there: it may be imported later than this package.
    if "torch" in sys.modules:
        _torch_shared(found)
