"""What docs/reliability.md, SECURITY.md and CONTRIBUTING.md say about the attack is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .driver import MODULES, SHARES
from .totals import BEGIN, END

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["docs/reliability.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_named_paths_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    paths = re.findall(r"`((?:tests|src|native|docs)/[\w/.-]+)`", text) + re.findall(r"\]\((\w[\w/.-]+)\)", text)
    assert paths
    # A link is relative to its document, a name in code to the repository.
    missing = [path for path in paths if not (ROOT / path).exists() and not ((ROOT / name).parent / path).exists()]
    assert not missing


def test_every_target_is_described_and_exists() -> None:
    text = (ROOT / "docs/reliability.md").read_text("utf-8")
    for target in SHARES:
        assert f"\n| `{target}` | " in text
        assert (ROOT / "tests" / "attack" / f"{MODULES.get(target, target)}.py").is_file()
    assert text.count(BEGIN) == text.count(END) == 1
