"""Starting the command: help and version at once, missing packages in one sentence, faults with their traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import Command, Refused

from seqloom import __version__
from seqloom.app.commands import application
from seqloom.app.flags import in_flags
from seqloom.errors import DataError
from seqloom_runtime.extras import missing
from seqloom_runtime.native import flavour

HEAVY = ("torch", "numpy", "polars", "pandas", "altair", "vl_convert", "statsmodels", "narwhals")


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import contextlib, sys
from seqloom.app.main import run
for arguments in (["--help"], ["forecast", "--help"], ["--version"], ["forecast", "--unknown"]):
    sys.argv = ["seqloom", *arguments]
    with contextlib.suppress(SystemExit):
        run()
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout
    assert f"seqloom {__version__}, {flavour()}\n" in done.stdout


def test_what_is_known_without_torch_is_told_without_it(tmp_path: Path) -> None:
    """A slip of the keyboard is answered at once: torch and what draws reports take seconds to load."""
    table, taken = tmp_path / "load.csv", tmp_path / "taken"
    table.write_text("time,load\n" + "".join(f"2024-01-{1 + n:02d},{n % 7}\n" for n in range(28)))
    taken.mkdir()
    (taken / "x").touch()
    gone = str(tmp_path / "laod.csv")
    asked = [
        (["forecast", gone], "laod.csv: there is no such file. Did you mean 'load.csv'?"),
        (["backtest", gone], "laod.csv: there is no such file."),
        (["classify", gone], "laod.csv: there is no such file."),
        (["lm", gone], "laod.csv: there is no such file."),
        (["tune", "forecast", gone], "laod.csv: there is no such file."),
        (["tune", "classify", gone], "laod.csv: there is no such file."),
        (["tune", "forecast", "--help"], ""),
        (["forecast", str(table), "--target", "lod"], "No column is named 'lod'. Did you mean 'load'?"),
        (["backtest", str(table), "--target", "lod"], "No column is named 'lod'."),
        (["forecast", str(table), "--time", "tiem"], "named 'tiem'. Did you mean 'time'?"),
        (["forecast", str(table), "--out", str(taken)], "taken is not empty"),
        (["forecast", str(table), "--threads", "0"], "--threads: expected a whole number from 1"),
    ]
    code = f"""
import contextlib, sys
from seqloom.app.main import run
for arguments, told in {asked!r}:
    sys.argv = ["seqloom", *arguments]
    print("::", told, file=sys.stderr)
    with contextlib.suppress(SystemExit):
        run()
    loaded = [name for name in ("torch", "altair", "vl_convert", "optuna") if name in sys.modules]
    assert not loaded, (arguments, loaded)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for (arguments, told), answer in zip(asked, done.stderr.split(":: ")[1:], strict=True):
        assert told in answer.partition("\n")[2], (arguments, answer)


def test_a_report_on_data_needs_no_torch(tmp_path: Path) -> None:
    table = tmp_path / "load.csv"
    table.write_text("time,load\n" + "".join(f"2024-01-{1 + n:02d},{n % 7}\n" for n in range(28)))
    code = f"""
import contextlib, sys
from seqloom.app.main import run
sys.argv = ["seqloom", "data", {str(table)!r}]
with contextlib.suppress(SystemExit):
    run()
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "load" in done.stdout


def test_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "seqloom", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"seqloom {__version__}, {flavour()}\n")


def test_help_of_every_command_shows_defaults_in_panels(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("forecast", "backtest"):
        shown = command(name, "--help")
        assert shown.code == 0
        panels = [line.split()[1] for line in shown.out.splitlines() if line.startswith("╭")]
        last = ["Backtest", "Workers", "Output"] if name == "backtest" else ["Output", "Workers"]
        assert panels == ["Arguments", "Options", "Task", "Data", "Models", "Training", *last]
        assert shown.out.count("--lookback") == 1
        default = "naive,seasonal,damped-persistence,linear,gru" if name == "backtest" else "(those of --preset)"
        assert f"[default: {default}]" in shown.out
        assert "[default: 0.7,0.15]" in shown.out
    for name, flag in (("predict", "--horizon"), ("inspect", "--json"), ("data", "--missing")):
        shown = command(name, "--help")
        assert shown.code == 0
        assert flag in shown.out


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["forcast"], ["forecast", "--units", "x"], ["forecast", "--target"], ["data"]]
)
def test_usage_errors_exit_with_2(command: Command, arguments: list[str]) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert outcome.err


def test_a_command_is_parsed_alone_as_among_all() -> None:
    parsers: list[Any] = [
        typer.main.get_command(application(words)) for words in ((), ("tag", "--out"), ("tune", "tag"))
    ]
    every, alone, tuned = (parser.commands for parser in parsers)
    assert set(alone) == {"tag"}
    assert set(tuned) == {"tune"}
    assert set(tuned["tune"].commands) == {"tag"}
    pairs = (every["tag"], alone["tag"]), (every["tune"].commands["tag"], tuned["tune"].commands["tag"])
    for among, single in pairs:
        assert [vars(option).keys() for option in among.params] == [vars(option).keys() for option in single.params]
        assert [option.opts for option in among.params] == [option.opts for option in single.params]
    for words in ("nothing",), ("--help",), ("--version", "tag"):
        parser: Any = typer.main.get_command(application(words))
        assert parser.commands.keys() == every.keys()
        assert parser.commands["tune"].commands.keys() == every["tune"].commands.keys()


def test_nothing_asked_shows_the_help(command: Command) -> None:
    outcome = command()
    assert (outcome.code, outcome.err) == (2, "")
    assert "Usage: " in outcome.out


def test_a_mistake_in_the_arguments_is_one_sentence(refused: Refused) -> None:
    assert refused("forecast", "--units", "x" * 5000).startswith("error: --units: expected numbers")
    message = refused("forecast", "--nonsense")
    assert message.startswith("error: No such option: --nonsense")
    assert message.endswith(" Try 'seqloom forecast --help'.\n")
    assert "\\x1b[2J" in refused("\x1b[2J")


def test_a_file_whose_name_begins_with_a_dash(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused("forecast", "-odd one.csv").startswith("error: No such option: -o")
    (tmp_path / "-odd one.csv").touch()
    for words in (["forecast"], ["tune", "forecast"], ["data", "--target", "y"]):
        assert refused(*words, "-odd one.csv") == (
            "error: '-odd one.csv' was read as an option; for the file of that name type './-odd one.csv'.\n"
        )


def test_without_the_app_extra(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    outcome = command("--help")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == missing("typer", "the seqloom command") + "\n"


@pytest.mark.parametrize("package", ["polars", "altair", "vl_convert", "statsmodels"])
def test_without_a_package_of_the_app_extra(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, hourly: Path, package: str
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    out = hourly.parent / "run"
    data = () if package == "statsmodels" else (hourly, "--target", "load (MW)")
    message = refused("forecast", *data, "--model", "naive", "--out", out)
    assert package.replace("vl_convert", "vl-convert-python") in message
    assert "pip install '.[app]'" in message
    assert not out.exists()


def test_faults_of_the_program_are_not_hidden(command: Command, monkeypatch: pytest.MonkeyPatch, hourly: Path) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("seqloom.app.reading.read_table", broken)
    with pytest.raises(ZeroDivisionError, match="a fault"):
        command("data", hourly)

    def odd(*arguments: object, **options: object) -> None:
        raise OSError("raised by a program, not by the system")

    monkeypatch.setattr("seqloom.app.reading.read_table", odd)
    with pytest.raises(OSError, match="raised by a program"):
        command("data", hourly)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            PermissionError(13, "Permission denied", "/x/run.json"),
            "error: /x/run.json: permission denied; change who may read and write it, or choose another place.\n",
        ),
        (
            OSError(28, "No space left on device"),
            "error: no space is left on the device; free some or choose another folder.\n",
        ),
        (DataError("odd.csv: nothing in it."), "error: odd.csv: nothing in it.\n"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence(
    command: Command, monkeypatch: pytest.MonkeyPatch, hourly: Path, error: Exception, text: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("seqloom.app.reading.read_table", fail)
    outcome = command("data", hourly)
    assert (outcome.code, outcome.err) == (2, text)


def test_messages_name_flags() -> None:
    assert in_flags("time_zone: odd") == "--time-zone: odd"
    assert in_flags("levels: odd") == "--level: odd"
    assert in_flags("zone: odd") == "--time-zone: odd"
    assert in_flags("data: odd") == "data: odd"
    assert in_flags("no such setting: odd") == "no such setting: odd"
    assert in_flags("horizonal: odd") == "horizonal: odd"
    assert in_flags("use 4, or at='last'.") == "use 4, or --at last."
    assert (
        in_flags("lower learning_rate (now 1) or set clip_norm=1.0.")
        == "lower --learning-rate (now 1) or set --clip-norm 1.0."
    )
    for kept in ("a/time_zone.csv: odd", "batch_size.csv: odd", "no column 'max_fill'", "my_batch_size: odd"):
        assert in_flags(kept) == kept


def test_a_reader_that_goes_away(hourly: Path) -> None:
    code = f"import sys; sys.argv = ['seqloom', 'data', {str(hourly)!r}]; from seqloom.app.main import run; run()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
