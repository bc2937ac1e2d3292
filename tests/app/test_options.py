"""Lists on the command line."""

from __future__ import annotations

import pytest

from seqloom.app.options import names, numbers
from seqloom.errors import SettingError


def test_names() -> None:
    assert names(None) == ()
    assert names(" a , b,") == ("a", "b")
    assert names("x,,y,z") == ("x,y", "z")


def test_numbers() -> None:
    assert numbers("80, 95", "--level") == (80.0, 95.0)
    assert numbers(None, "--missing") == ()
    with pytest.raises(SettingError, match="--level: expected numbers separated by commas, got 'high' in '80,high'"):
        numbers("80,high", "--level")
