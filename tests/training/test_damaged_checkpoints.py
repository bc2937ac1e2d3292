"""Checkpoints whose checksums match and whose contents don't fit the run: refused before the first step."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from small_runs import SmallNet, list_of_batches, loss, validate
from torch import Tensor

from seqloom.errors import FormatError, SeqloomError
from seqloom.training import FitSettings, fit
from seqloom_runtime.files import sha256_bytes

Values = dict[str, Any]
Change = Callable[[Values, dict[str, Tensor]], None]


def train(folder: Path, *, stop_after: int | None = None, resume: bool = False, optimizer: str = "adam") -> None:
    class Stop(Exception):
        pass

    steps = 0

    def counted(module: Any, batch: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            raise Stop
        return loss(module, batch)

    settings = FitSettings(epochs=3, optimizer=optimizer, learning_rate=0.01, checkpoint_every=1, schedule="plateau")
    with contextlib.suppress(Stop):
        fit(
            SmallNet(),
            list_of_batches(28, 7),
            counted,
            settings=settings,
            validate=validate,
            directory=folder,
            resume=resume,
        )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that stopped in its second epoch."""
    train(tmp_path / "run", stop_after=7)
    return tmp_path / "run"


def altered(folder: Path, change: Change) -> Path:
    """The newest checkpoint changed, all checksums right."""
    latest = json.loads((folder / "latest").read_text())
    name = latest["checkpoints"][0]["name"]
    values = json.loads((folder / f"{name}.json").read_text())
    tensors = safetensors.torch.load_file(folder / f"{name}.safetensors")
    change(values, tensors)
    blob = safetensors.torch.save(tensors)
    values["tensors_sha256"] = sha256_bytes(blob)
    text = json.dumps(values).encode()
    latest["checkpoints"][0]["sha256"] = sha256_bytes(text)
    (folder / f"{name}.json").write_bytes(text)
    (folder / f"{name}.safetensors").write_bytes(blob)
    (folder / "latest").write_text(json.dumps(latest))
    return folder


def at(path: str, value: Any) -> Change:
    """Set the value at "a.b…"."""

    def change(values: Values, _: dict[str, Tensor]) -> None:
        place: Any = values
        *above, last = path.split(".")
        for key in above:
            place = place[int(key)] if isinstance(place, list) else place[key]
        place[last] = value

    return change


def tensor(name: str, make: Callable[[Tensor], Tensor | None]) -> Change:
    """Change or remove the tensors whose names begin so."""

    def change(_: Values, tensors: dict[str, Tensor]) -> None:
        for key in [key for key in tensors if key.startswith(name)]:
            made = make(tensors.pop(key))
            if made is not None:
                tensors[key] = made

    return change


def test_an_unchanged_copy_goes_on(run: Path) -> None:
    train(altered(run, lambda values, tensors: None), resume=True)


@pytest.mark.parametrize(
    "change",
    [
        at("progress.epoch", -1),
        at("progress.epoch", 10**12),
        at("progress.epoch", 1.5),
        at("progress.epoch", True),
        at("progress.taken", -3),
        at("progress.taken", 10**12),
        at("progress.step", -1),
        at("progress.step", 10**400),
        at("progress.loss_sum", 1e999),
        at("progress.finished", "no"),
        at("progress.rows", []),
        at("progress.rows.0.learning_rate", 1e999),
        at("progress.rows.0.valid", 3),
        at("monitor.best_epoch", 7),
        at("monitor.best_epoch", None),
        at("monitor.waited", 1e999),
        at("schedule.factor", 1e999),
        at("world_size", 1e999),
        at("world_size", [[[[]]]]),
        at("settings", None),
        at("aliases", {"first.weight": "second.weight"}),
        at("optimizer", {"first.weight/step": 3}),
        tensor("best/first.weight", lambda t: t[:1].contiguous()),
        tensor("best/first.weight", lambda t: None),
        tensor("best/", lambda t: None),
        tensor("best/", lambda t: t.double()),
        tensor("best/first.bias", lambda t: t.reshape(*[1] * 5000, -1)),
        tensor("weights/first.weight", lambda t: t.double()),
        tensor("weights/first.weight", lambda t: t.to(torch.float8_e4m3fn)),
        tensor("optimizer/first.weight/exp_avg_sq", lambda t: None),
        tensor("optimizer/first.weight/exp_avg", lambda t: t.to(torch.int64)),
        tensor("optimizer/first.weight/exp_avg", lambda t: t.new_zeros(())),
        tensor("optimizer/first.weight/step", lambda t: t.new_zeros(t.shape, dtype=torch.bool)),
        tensor("source/stream", lambda t: t[:7].clone()),
        tensor("source/stream", lambda t: t.float()),
        tensor("stream/0/torch", lambda t: t[:-1].clone()),
        tensor("stream/0/", lambda t: None),
    ],
)
def test_contents_that_do_not_fit_the_run(run: Path, change: Change) -> None:
    files = {path.name: path.read_bytes() for path in altered(run, change).iterdir() if path.is_file()}
    with pytest.raises(SeqloomError) as caught:
        train(run, resume=True)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    assert {name: (run / name).read_bytes() for name in files} == files  # nothing was trained, nothing overwritten


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop"])
def test_a_state_of_another_optimizer(tmp_path: Path, optimizer: str) -> None:
    train(tmp_path / "run", stop_after=7, optimizer=optimizer)
    other = "rmsprop" if optimizer != "rmsprop" else "adam"
    altered(tmp_path / "run", lambda values, tensors: values["settings"].update(optimizer=other))
    with pytest.raises(FormatError, match="state for"):
        train(tmp_path / "run", resume=True, optimizer=other)


@pytest.mark.parametrize("name", ["../../elsewhere", "step-00000001-epoch/../x", 7, None, ["step-00000001-epoch"], "x"])
def test_names_that_lead_elsewhere(run: Path, name: Any) -> None:
    latest = json.loads((run / "latest").read_text())
    latest["checkpoints"][0]["name"] = name
    (run / "latest").write_text(json.dumps(latest))
    with pytest.raises(FormatError, match="expected a list of checkpoints"):
        train(run, resume=True)


def test_files_that_never_end(run: Path) -> None:
    name = json.loads((run / "latest").read_text())["checkpoints"][0]["name"]
    for path in (run / f"{name}.safetensors", run / f"{name}.json", run / "latest"):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(FormatError, match="expected a file, found a pipe"):
            train(run, resume=True)
        path.unlink()
        path.symlink_to("/dev/zero")
        with pytest.raises(FormatError, match="expected a file, found a pipe, socket or device"):
            train(run, resume=True)
