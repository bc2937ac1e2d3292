"""What the commands of sequence and text models share: a made-up command through the whole road."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command, Refused, invoke

from oracles.tiny_classifier import TinyClassifier
from seqloom.app import commands, estimators, options
from seqloom.app import predict as predict_module
from seqloom.app.running import Prepared, training_command
from seqloom.app.tables import FormOptions
from seqloom.tasks import loading
from seqloom.tasks.comparison import compare_models
from seqloom_runtime.data.parts import split_examples


class TinySettings(options.Asked):
    """The settings of the made-up command."""

    options = (
        *options.parts("DATA", "0.15"),
        *options.from_table("SequenceClassifier", "epochs seed"),
        options.THREADS,
        options.argument("DATA", "An archive."),
        options.models("SequenceClassifier", "logistic", "logistic", "majority"),
    )


class Tiny(TinyClassifier):
    """As an estimator of the package is asked."""

    classes_: list[str]

    def _check_parameters(self) -> None:
        if self.model not in ("majority", "logistic"):
            raise options.SettingError(f"model: expected majority or logistic, got {self.model!r}.")


def prepare(settings: TinySettings) -> Prepared:
    with np.load(estimators.required_data(settings.data)) as held:
        x, y = held["x"], held["y"]
    shares = list(estimators.shares_of(settings).values())
    rows = split_examples(len(y), shares[0] or 0, shares[1] or 0, seed=settings.seed, strata=y.tolist())
    given = options.parameters_of(settings, "SequenceClassifier")
    compare = partial(
        compare_models,
        "tiny",
        estimators.build_estimators(Tiny, estimators.model_names(settings.model, "majority"), given),
        {name: (x[part], y[part]) for name, part in zip(("train", "valid", "test"), rows)},
        baseline="majority",
        target="way",
        source={"source": settings.data},
        seed=settings.seed,
    )
    return Prepared(compare, ("A note.",))


tiny = training_command("tiny", TinySettings, prepare, "A made-up command.")


def register(patch: pytest.MonkeyPatch) -> None:
    """Make the command known."""
    patch.setattr(commands, "_COMMANDS", [*commands._COMMANDS, tiny])


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def write_walks(path: Path) -> Path:
    """Random walks labelled by where they end."""
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(0.05, 1, (160, 12, 1)), axis=1)
    np.savez(path, x=x, y=np.where((x[:, -1, 0] > 0) ^ (rng.random(160) < 0.1), "up", "down"))
    return path


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    return write_walks(tmp_path / "walks.npz")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, without the report; copy it to change it."""
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        patch.setattr("seqloom.report.build", lambda folder: folder)
        done = invoke("tiny", write_walks(folder / "walks.npz"), "--epochs", 4, "--threads", 1, "--out", folder / "run")
    assert done.code == 0, done
    return folder / "run"


pytestmark = pytest.mark.usefixtures("known")


def test_the_table_the_sentences_and_the_folder(command: Command, walks: Path, no_report: None, tmp_path: Path) -> None:
    run = tmp_path / "deep" / "run"
    shown = command("tiny", walks, "--epochs", 3, "--threads", 1, "--out", run)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("A note.\n\nValidation (24 examples)\n")
    assert "\nTest (24 examples)\n" in shown.out
    assert "> logistic" in shown.out
    assert "* best of the column   > selected by accuracy on the validation set\n" in shown.out
    assert "logistic: accuracy better than majority (" in shown.out
    assert shown.out.endswith(f"Report: {run}/report.html\nEverything else (metrics, predictions, model): {run}\n")
    record = json.loads((run / "run.json").read_text())
    assert record["command"] == "tiny"
    assert record["settings"]["epochs"] == 3
    assert "threads" not in record["settings"]
    quiet = command("tiny", walks, "--epochs", 3, "--threads", 1, "--quiet")
    assert quiet.out in shown.out
    assert quiet.out.startswith("Validation (")


def test_json(command: Command, walks: Path) -> None:
    found = json.loads(command("tiny", walks, "--epochs", 3, "--threads", 1, "--json").out)
    assert (found["best"], found["baseline"], found["target"], found["out"]) == ("logistic", "majority", "way", None)
    assert found["assumed"] == ["A note."]
    assert found["models"]["logistic"]["test"]["accuracy"] > 0.7


def test_without_out_nothing_is_written(
    command: Command, walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    shown = command("tiny", walks, "--epochs", 1)
    assert shown.code == 0
    assert shown.out.endswith("Nothing was kept, because no --out folder was given.\n")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["walks.npz", "work"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--model", "logistik"), "--model: expected majority or logistic, got 'logistik'."),
        (("--valid", "1.5"), "--valid: expected a share between 0 and 1, such as 0.15, or a file, got 1.5."),
        (("--test", "no.npz"), "--test: expected a share such as 0.15 or a file, there is no file no.npz."),
        (("--valid", "0.6", "--test", "0.6"), "expected shares that leave some to train on, got 0.6 and 0.6"),
        (("--threads", "0"), "--threads: expected a whole number from 1 to 1024, got 0."),
    ],
)
def test_refused(refused: Refused, walks: Path, tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    out = tmp_path / "run"
    assert words in refused("tiny", walks, *flags, "--out", out)
    assert not out.exists()


def test_refused_without_data_and_where_out_is_taken(refused: Refused, walks: Path, tmp_path: Path) -> None:
    assert "DATA: name the file to learn from." in refused("tiny")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    assert "is not empty" in refused("tiny", walks, "--out", tmp_path / "full")
    assert (tmp_path / "full" / "mine.txt").read_text() == "x"


def test_resuming_refuses_what_does_not_fit(refused: Refused, finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert "--epochs: the run in" in refused("tiny", "--resume", run, "--epochs", 5)
    assert "--out can't be given with it" in refused("tiny", "--resume", run, "--out", tmp_path / "new")
    assert "expected the record of a 'seqloom forecast' run" in refused("forecast", "--resume", run)
    assert "found none in" in refused("tiny", "--resume", tmp_path)
    record = json.loads((run / "run.json").read_text())
    record["settings"]["colour"] = "red"
    (run / "run.json").write_text(json.dumps(record))
    assert "its setting 'colour' is unknown" in refused("tiny", "--resume", run)
    (run / "run.json").write_bytes(before[run / "run.json"])
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_finished_run_resumes_to_the_same_bytes(
    command: Command, finished: Path, no_report: None, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    shown = command("tiny", "--resume", run)
    assert shown.code == 0, shown
    for path in finished.rglob("*"):
        if path.is_file():
            assert (run / path.relative_to(finished)).read_bytes() == path.read_bytes(), path


CHILD = """
import sys
sys.path[:0] = {paths!r}
import pytest
import test_training_command
test_training_command.register(pytest.MonkeyPatch())
import seqloom.report
seqloom.report.build = lambda folder: folder
from seqloom.app.main import run
run()
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    code = CHILD.format(paths=[str(here), str(here.parent)])
    obey = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=obey)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    # Ctrl-C is pressed in test_interrupted.py and test_reproduce_command.py, too.
    [pytest.param(signal.SIGINT, marks=pytest.mark.deep, id="Ctrl-C"), pytest.param(signal.SIGKILL, id="killed")],
)
def test_stopped_and_resumed_equals_an_undisturbed_run(
    command: Command,
    walks: Path,
    no_report: None,
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    flags = ("--epochs", 60, "--threads", 1, "--seed", 3)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    with start("tiny", walks, *flags, "--out", broken) as process:
        limit = time.monotonic() + 60
        while not any(broken.glob("checkpoint/logistic/*.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.002)
        process.send_signal(how)
        _, err = process.communicate()
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert err == f"Interrupted. Resume with: seqloom tiny --resume {broken}\n"
    assert not (broken / "metrics.json").exists()
    shown = command("inspect", broken)
    assert f"Resume with: seqloom tiny --resume {broken}" in shown.out
    assert command("tiny", "--resume", broken).code == 0
    assert command("tiny", walks, *flags, "--out", whole).code == 0
    files = {str(p.relative_to(whole)): p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    resumed = {str(p.relative_to(broken)): p.read_bytes() for p in broken.rglob("*") if p.is_file()}
    assert [name for name in files if resumed.get(name) != files[name]] == ["run.json"]
    assert set(resumed) == set(files)


# -- predict and inspect ------------------------------------------------------------------------------------------


def predict_file(model: Any, data: str, settings: dict[str, Any], form: FormOptions) -> dict[str, Any]:
    """What the module of a command offers to `seqloom predict`."""
    with np.load(data) as held:
        found = model.evaluate(held["x"], held["y"]).predictions
    return {
        "row": found["row"],
        "predicted": found["predicted"],
        "p_up": found["p_up"],
        "epochs": [settings.get("epochs")] * 160,
    }


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let load give the made-up estimator back, and predict serve it."""

    def made(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Tiny:
        import torch

        model = Tiny(model=header["model"])
        model.network_ = torch.nn.Linear(2, 2)
        model.network_.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        model.n_parameters_, model.classes_ = 6, ["down", "up"]
        return model

    monkeypatch.setattr(loading, "_TASKS", {**loading._TASKS, "tiny": ("tiny", "Tiny")})
    monkeypatch.setattr(loading, "estimator_from", lambda task, header, arrays: made(header, arrays))
    monkeypatch.setitem(predict_module._HOMES, "Tiny", "tiny_command")
    monkeypatch.setitem(sys.modules, "seqloom.app.tiny_command", sys.modules[__name__])


def test_predict(command: Command, refused: Refused, finished: Path, walks: Path, served: None, tmp_path: Path) -> None:
    shown = command("predict", finished, walks)
    assert shown.code == 0, shown
    lines = shown.out.splitlines()
    assert lines[0].split() == ["row", "predicted", "epochs", "p_up"]
    assert lines[1].split()[2] == "4"
    assert lines[-1] == "… and 140 more; --out FILE or --json gives them all"
    out = tmp_path / "p.csv"
    assert command("predict", finished / "model", walks, "--out", out).out == f"Predictions: {out}\n"
    rows = out.read_text().splitlines()
    assert (rows[0], len(rows)) == ("row,predicted,p_up,epochs", 161)
    found = json.loads(command("predict", finished, walks, "--json").out)
    assert [str(row["p_up"]) for row in found["predictions"]] == [row.split(",")[2] for row in rows[1:]]
    assert "DATA: name the file to predict" in refused("predict", finished)
    assert "--horizon: only a forecaster looks ahead" in refused("predict", finished, walks, "--horizon", 3)
    assert "exists already" in refused("predict", finished, walks, "--out", out)


def test_inspect(command: Command, finished: Path, served: None) -> None:
    shown = command("inspect", finished)
    assert shown.code == 0, shown
    assert shown.out.startswith("Validation (24 examples)\n")
    assert "model:        Tiny logistic, 6 parameters\n" in shown.out
    assert "classes:      down, up\n" in shown.out
    assert json.loads(command("inspect", finished, "--json").out)["metrics"]["task"] == "tiny"
