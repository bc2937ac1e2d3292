"""The exceptions and the suggestion for a misspelt name."""

from __future__ import annotations

import pytest

from seqloom import errors
from seqloom.errors import SeqloomError, suggest


def test_every_exception_is_a_seqloom_error_with_a_built_in_kin() -> None:
    kin = {
        "DataError": ValueError,
        "SettingError": ValueError,
        "FormatError": ValueError,
        "RunLockedError": RuntimeError,
        "TrainingError": RuntimeError,
        "Interrupted": KeyboardInterrupt,
        "BackendError": RuntimeError,
        "NotFittedError": AttributeError,
        "MissingDependencyError": ImportError,
    }
    assert {name for name in errors.__all__ if name[0].isupper()} == {"SeqloomError", *kin}
    for name, built_in in kin.items():
        kind = getattr(errors, name)
        assert issubclass(kind, SeqloomError)
        with pytest.raises(built_in, match="what came"):
            raise kind("what came")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("temprature", ["Wind", "Temperature", "Pressure"], " Did you mean 'Temperature'?"),
        ("TEMPERATURE", ["Temperature"], " Did you mean 'Temperature'?"),
        ("target", [" Target "], " Did you mean ' Target '?"),
        ("wind", ["Wind", "wind speed"], " Did you mean 'Wind'?"),
        ("a", ["A", "a"], " Did you mean 'A'?"),  # two that fold to the same: the first
        ("xyz", ["Temperature"], ""),
        ("", ["Temperature"], ""),
        ("x", [], ""),
    ],
)
def test_suggest(name: str, known: list[str], found: str) -> None:
    assert suggest(name, known) == found
    assert suggest(name, iter(known)) == found


def test_text_of_an_exception_acts_on_no_terminal() -> None:
    error = errors.DataError("x.csv: no column is named '\x1b[31mred\x07\u202e'.")
    assert str(error) == "x.csv: no column is named '\\x1b[31mred\\x07\\u202e'."
    assert str(errors.MissingDependencyError("plain")) == "plain"
