"""Optional packages: each is in the extra that its sentence names."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from seqloom.errors import MissingDependencyError
from seqloom_runtime.extras import _EXTRAS, installed, need

PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", [name for name in _EXTRAS if name != "scipy"])
def test_the_extra_that_is_named_installs_the_package(module: str) -> None:
    package, extra = _EXTRAS[module]
    if extra is None:  # a requirement of seqloom itself
        assert any(line.startswith(f"{package}>=") for line in PROJECT["project"]["dependencies"])
        return
    packages = [line.partition(">=")[0] for line in PROJECT["project"]["optional-dependencies"][extra]]
    assert package in packages


@pytest.mark.parametrize("module", ["polars", "scipy.io"])
def test_a_package_that_is_missing_is_one_sentence(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed(module)
    assert need(module, "this test").__name__ == module
    for name in [name for name in sys.modules if name.startswith(module.partition(".")[0])]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    with pytest.raises(
        MissingDependencyError, match=r"^this test needs .*; in the folder .* run pip install '.\[app\]'"
    ):
        need(module, "this test")
