"""Options declared once: the signature built from them, lists, and the settings that a run folder keeps."""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any, get_args

import pytest
import typer

from seqloom import tasks
from seqloom.app.commands import settings_of
from seqloom.app.options import (
    Asked,
    Option,
    from_table,
    names,
    numbers,
    parameters_of,
    recorded_settings,
    rows_or_duration,
)
from seqloom.app.signature import takes
from seqloom.app.tables import Settings
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


class Both(Asked):
    options = (
        Option("horizon", "How far.", "Far", "N", 3, kind=int),
        Option("name", "Whose.", "Own", default="x"),
    )


def test_signature_holds_the_options_and_the_commands_own_parameters() -> None:
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


def test_options_of_the_table() -> None:
    kinds = {}
    for option in from_table("LanguageModel", "units tied learning_rate level seed clip_norm"):
        kinds[option.name] = (option.type, option.metavar, option.default, option.shown)
    assert kinds == {
        "units": (str | int | None, "N[,M,…]", None, "200"),
        "tied": (bool, None, True, None),
        "learning_rate": (float | None, "F", None, "0.003"),
        "level": (str | None, "NAME", None, "word"),
        "seed": (int, "N", 0, None),
        "clip_norm": (float | None, "F", None, "1"),
    }
    split, every, drop = from_table("Forecaster", "split every input_dropout", values=True)
    assert (split.default, every.default, drop.default, drop.metavar) == ("0.7,0.15", "1", 0.0, "P")
    assert from_table("Forecaster", "optimizer")[0].help == "Optimizer: adam, adamw, rmsprop, sgd or nt-asgd."


def test_parameters_of_what_was_asked() -> None:
    asked = Settings(season="7.5", lookback="2d", level="50", channels="4,8", missing="-9", epochs=3)
    given = parameters_of(asked, "Forecaster")
    assert {name: given[name] for name in ("season", "lookback", "every", "levels", "channels", "missing")} == {
        "season": 7.5,
        "lookback": "2d",
        "every": 1,
        "levels": (50.0,),
        "channels": (4, 8),
        "missing": (-9.0,),
    }
    assert "horizon" not in given
    assert "model" not in given
    with pytest.raises(SettingError, match="--level: expected numbers"):
        parameters_of(Settings(level="high"), "Forecaster")


@pytest.mark.parametrize(
    "command",
    [
        "forecast",
        "anomalies",
        "sequences",
        "classify",
        "tag",
        "transcribe",
        "translate",
        "frames",
        "caption",
        "lm",
        "embed",
    ],
)
def test_every_option_has_a_help_in_one_sentence(command: str) -> None:
    options = settings_of(command).options
    assert len({option.name for option in options}) == len(options)
    for option in options:
        assert option.help.endswith("."), option.name
        assert not option.help.endswith(".."), option.name


@pytest.mark.parametrize(
    ("command", "estimators"),
    [
        ("forecast", (tasks.Forecaster,)),
        ("anomalies", (tasks.AnomalyDetector,)),
        (
            "sequences",
            (
                tasks.SequenceClassifier,
                tasks.SequenceRegressor,
                tasks.FrameModel,
                tasks.PictureClassifier,
                tasks.FilmClassifier,
            ),
        ),
        ("classify", (tasks.TextClassifier,)),
        ("tag", (tasks.SequenceTagger,)),
        ("transcribe", (tasks.Transcriber,)),
        ("translate", (tasks.Seq2Seq,)),
        ("frames", (tasks.FramePredictor,)),
        ("caption", (tasks.Captioner,)),
        ("lm", (tasks.LanguageModel,)),
        ("embed", (tasks.WordEmbedder,)),
    ],
)
def test_the_help_lists_every_model(command: str, estimators: tuple[Any, ...]) -> None:
    listed = next(option.help for option in settings_of(command).options if option.name == "model")
    known = {name for estimator in estimators for name in estimator._constraints["model"].names}
    assert not known - set(re.findall(r"[a-z-]+(?:\d+)?", listed))


def test_settings_come_back_from_their_record() -> None:
    settings = Settings(data="a.csv", target="x", epochs=3, calendar=True, threads=2)
    record = settings.record()
    assert "threads" not in record
    assert recorded_settings(record, 2, "run.json", Settings) == settings


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
        recorded_settings({**Settings().record(), **changes}, None, "run.json", Settings)


def test_record_that_lacks_a_setting_is_refused() -> None:
    record = Settings().record()
    del record["horizon"]
    with pytest.raises(FormatError, match="'horizon' is missing"):
        recorded_settings(record, None, "run.json", Settings)
