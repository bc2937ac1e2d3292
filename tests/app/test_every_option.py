"""No parameter of any estimator is out of reach of the command that trains it."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from command_line import invoke

from seqloom.app import options
from seqloom.app.commands import settings_of
from seqloom.app.every_option import SAID_OTHERWISE
from seqloom.tasks.constraints import (
    AnyOf,
    Anything,
    Boolean,
    ClassWeights,
    Labels,
    Numeric,
    OneOf,
    OneOrMore,
    Span,
    SplitSizes,
)
from seqloom.tasks.parameters import ESTIMATORS, Parameter

COMMANDS = {
    "forecast": ("Forecaster",),
    "backtest": ("Forecaster",),
    "sequences": ("SequenceClassifier", "SequenceRegressor", "FrameModel"),
    "classify": ("TextClassifier",),
    "tag": ("SequenceTagger",),
    "lm": ("LanguageModel",),
}
ELSEWHERE = {"model", "class_weight"}
"""What a command reads from its flag itself."""


def typed(entry: Parameter) -> tuple[Any, Any]:
    """A value as it is typed, and as the estimator is to get it."""
    constraint = entry.constraint
    if isinstance(constraint, Boolean):
        return not entry.default, not entry.default
    if isinstance(constraint, Numeric):
        low = max(constraint.low, 0) + (0 if constraint.high <= 1 else 3)
        return (int(low), int(low)) if constraint.whole else (low + 0.25, low + 0.25)
    if isinstance(constraint, OneOf):
        return constraint.names[-1], constraint.names[-1]
    if isinstance(constraint, (AnyOf, OneOrMore)) and isinstance(constraint.member, Numeric):
        return "7,9", (7, 9)
    if isinstance(constraint, (AnyOf, OneOrMore, Labels)):
        return "some,more", ("some", "more")
    if isinstance(constraint, Span):
        return "7", 7
    assert isinstance(constraint, (Anything, ClassWeights, SplitSizes)) or constraint.allows("0.6,0.2"), entry
    return "0.6,0.2", "0.6,0.2"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_parameter_of_the_table_is_reached(command: str) -> None:
    kind = settings_of(command)
    flags = {option.name: option for option in kind.options}
    for estimator in COMMANDS[command]:
        for name, entry in ESTIMATORS[estimator].items():
            flag = options.flag_name(entry)
            if flag not in flags:
                assert SAID_OTHERWISE[name].startswith("--"), (command, name)
                assert name != "refit" or command == "backtest"
                continue
            if name in ELSEWHERE:
                continue
            value, wanted = typed(entry)
            assert entry.constraint.allows(wanted), (name, wanted)
            assert options.parameters_of(kind(**{flag: value}), estimator)[name] == wanted, (command, name)


@pytest.mark.parametrize("command", COMMANDS)
def test_rare_options_stand_in_the_whole_help_and_change_nothing_unless_given(command: str) -> None:
    kind = settings_of(command)
    rare = [option for option in kind.options if option.rare]
    assert {"clip_value", "warmup_steps"} <= {option.name for option in rare}
    plain, whole = invoke(command, "--help").out, invoke(command, "--help-all").out
    assert "--help-all" in plain
    assert "--clip-value" in whole
    assert "--clip-value" not in plain
    for option in rare:
        assert option.default is None, option.name
        assert option.name not in kind().record()
    assert len(whole) > len(plain)


def test_what_was_given_of_them_is_kept_in_the_record_of_a_run() -> None:
    kind = settings_of("classify")
    record = kind(trees=7, calibrate=False).record()
    assert (record["trees"], record["calibrate"]) == (7, False)
    back = options.recorded_settings(record, None, "run.json", kind)
    assert options.parameters_of(back, "TextClassifier")["calibrate"] is False
    older = {name: value for name, value in kind().record().items() if name != "trees"}
    assert options.recorded_settings(older, None, "run.json", kind) == kind()


def test_a_flag_that_is_on_can_be_put_off(tmp_path: Any) -> None:
    found = {}
    app = typer.Typer()
    from seqloom.app.signature import takes

    @takes(settings_of("classify"))
    def command(settings: Any) -> None:
        found.update(options.parameters_of(settings, "TextClassifier"))

    app.command()(command)
    app(["x.csv", "--no-lower", "--no-calibrate", "--max-df", "0.5", "--trees", "9"], standalone_mode=False)
    assert {name: found[name] for name in ("lower", "calibrate", "max_df", "trees")} == {
        "lower": False,
        "calibrate": False,
        "max_df": 0.5,
        "trees": 9,
    }


def test_an_ensemble_chooses_from_the_members_that_are_named(hourly: Any) -> None:
    common = ("forecast", hourly, "--target", "load (MW)", "--lookback", "12", "--horizon", "3", "--threads", "1")
    done = invoke(
        *common,
        "--model",
        "drift,mean,seasonal,damped-persistence,ensemble",
        "--members",
        "drift,damped-persistence",
        "--no-refit",
    )
    assert done.code == 0, done.err
    (told,) = [line for line in done.out.splitlines() if "on the windows that choose, by their errors there" in line]
    assert "the best of 2" in told, told
    assert "seasonal" not in told, told
    refused = invoke(*common, "--model", "drift,ensemble", "--members", "drift,mean")
    assert refused.err.startswith("error: --members: expected models that are compared (naive, drift), got 'mean';")
