"""Options declared once: the signature built from them, lists, and the settings that a run folder keeps."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

import pytest
import typer

from seqloom.app.options import Settings, names, numbers, recorded_settings, rows_or_duration
from seqloom.app.signature import takes
from seqloom.errors import FormatError, SettingError


def test_names() -> None:
    assert names(None) == ()
    assert names(" a , b,") == ("a", "b")
    assert names("x,,y,z") == ("x,y", "z")


def test_numbers() -> None:
    assert numbers("80, 95", "--level") == (80.0, 95.0)
    assert numbers(None, "--missing") == ()
    with pytest.raises(SettingError, match="--level: expected numbers separated by commas, got 'high' in '80,high'"):
        numbers("80,high", "--level")


def test_rows_or_duration() -> None:
    assert rows_or_duration("12") == 12
    assert rows_or_duration("12h") == "12h"
    assert rows_or_duration(None) is None


@dataclass(frozen=True, kw_only=True)
class Far:
    panel: ClassVar[str] = "Far"
    horizon: Annotated[int, typer.Option(help="How far.")] = 3


@dataclass(frozen=True, kw_only=True)
class Both(Far):
    panel: ClassVar[str] = "Near"
    name: Annotated[str, typer.Option(help="Whose.", rich_help_panel="Own")] = "x"


def test_signature_holds_the_group_and_the_commands_own_parameters() -> None:
    seen: list[Any] = []

    @takes(Both)
    def show(settings: Both, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
        """Show it."""
        seen.append((settings, loud))

    parameters = inspect.signature(show).parameters
    assert {name: p.default for name, p in parameters.items()} == {"horizon": 3, "name": "x", "loud": False}
    assert (show.__name__, show.__doc__) == ("show", "Show it.")
    kind, option = get_args(parameters["horizon"].annotation)
    assert (kind, option.help, option.rich_help_panel) == (int, "How far.", "Far")
    assert get_args(parameters["name"].annotation)[1].rich_help_panel == "Own"
    show(horizon=5, name="y", loud=True)
    assert seen == [(Both(horizon=5, name="y"), True)]


def test_settings_come_back_from_their_record() -> None:
    settings = Settings(data="a.csv", target="x", epochs=3, calendar=True, threads=2)
    record = settings.record()
    assert "threads" not in record
    assert recorded_settings(record, 2, "run.json") == settings


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"epochs": "many"}, "'epochs' is 'many'"),
        ({"calendar": None}, "'calendar' is None"),
        ({"units": 1.5}, "'units' is 1.5"),
        ({"colour": "red"}, "'colour' is unknown"),
    ],
)
def test_altered_record_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(FormatError, match=f"run.json: its setting {word}"):
        recorded_settings({**Settings().record(), **changes}, None, "run.json")


def test_record_that_lacks_a_setting_is_refused() -> None:
    record = Settings().record()
    del record["horizon"]
    with pytest.raises(FormatError, match="'horizon' is missing"):
        recorded_settings(record, None, "run.json")
