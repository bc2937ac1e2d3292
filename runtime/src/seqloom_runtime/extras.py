"""Packages that only some installations have: imported where they are first needed, named where they are missing."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from .errors import MissingDependencyError

__all__ = ["installed", "missing", "need", "refuse_without"]

_EXTRAS = {
    "PIL": ("Pillow", "images"),
    "adbc_driver_postgresql": ("adbc-driver-postgresql", "databases"),
    "altair": ("altair", "app"),
    "duckdb": ("duckdb", "databases"),
    "fastapi": ("fastapi", "serve"),
    "h5py": ("h5py", "keras"),
    "holidays": ("holidays", "app"),
    "httptools": ("httptools", "serve"),
    "jiwer": ("jiwer", "speech"),
    "kaldi_native_fbank": ("kaldi-native-fbank", "speech"),
    "mido": ("mido", "music"),
    "narwhals": ("narwhals", None),  # which seqloom itself requires, and the runtime alone does not
    "onnx": ("onnx", "onnx"),
    "optuna": ("optuna", "tune"),
    "orjson": ("orjson", "serve"),
    "polars": ("polars", "app"),
    "python_calamine": ("python-calamine", "app"),
    "ray": ("ray", "ray"),
    "sacrebleu": ("sacrebleu", "translate"),
    "scipy": ("SciPy", "app"),  # no line of its own in pyproject.toml: statsmodels brings it
    "sklearn": ("scikit-learn", "text"),
    "soundfile": ("soundfile", "speech"),
    "sqlalchemy": ("sqlalchemy", "tune"),
    "statsmodels": ("statsmodels", "app"),
    "tokenizers": ("tokenizers", "text"),
    "typer": ("typer", "app"),
    "uvicorn": ("uvicorn", "serve"),
    "uvloop": ("uvloop", "serve"),
    "vl_convert": ("vl-convert-python", "app"),
    "websockets": ("websockets", "serve"),
}
"""What a module's package is called, and the extra of pyproject.toml that installs it."""


def need(module: str, purpose: str) -> Any:
    """The imported `module` (a dotted name gives the inner one); raises MissingDependencyError where it is missing.

    `purpose` begins the message: "the report", for example.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingDependencyError(missing(module, purpose)) from None


def installed(module: str) -> bool:
    """Whether `module` can be found; it is not imported, which may take a second."""
    return importlib.util.find_spec(module) is not None


def refuse_without(module: str, purpose: str) -> None:
    """Raise MissingDependencyError, as `need` does, where `module` can't be found; it is not imported yet.

    For what needs it later on, so that nothing is read, trained or written in vain.
    """
    if not installed(module):
        raise MissingDependencyError(missing(module, purpose))


def missing(module: str, purpose: str) -> str:
    """The sentence for a `module` that is not installed, with the command that installs it.

    >>> print(missing("altair", "the report"))
    the report needs altair, which is not installed; in the folder of seqloom's source run pip install '.[app]'
    """
    package, extra = _EXTRAS[module.partition(".")[0]]
    if extra is None:
        return f"{purpose} needs {package}, which is not installed: run pip install {package}"
    # from the source: seqloom is in no registry, so that 'seqloom[app]' would find nothing or something else
    return (
        f"{purpose} needs {package}, which is not installed; in the folder of seqloom's source run "
        f"pip install '.[{extra}]'"
    )
