"""Checkpoint files: whole, bounded in number, and never taken when damaged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_runs import SmallNet, folder_bits, list_of_batches, loss, train, weight_bits
from torch import nn

from seqloom.errors import FormatError, RunLockedError, SettingError
from seqloom.training import FitSettings, fit
from seqloom.training.checkpoint import CheckpointFolder
from seqloom_runtime.files import folder_lock, sha256_bytes

LAST, BEFORE = "step-00000027-epoch", "step-00000018-epoch"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a finished run of three epochs."""
    train(directory=tmp_path / "run")
    return tmp_path / "run"


def test_the_newest_two_are_kept_and_nothing_else(run: Path) -> None:
    names = sorted(path.name for path in run.iterdir())
    assert names == ["latest", *sorted(f"{n}.{s}" for n in (LAST, BEFORE) for s in ("json", "safetensors"))]
    entries = json.loads((run / "latest").read_text())["checkpoints"]
    assert [entry["name"] for entry in entries] == [LAST, BEFORE]
    document = json.loads((run / f"{LAST}.json").read_text())
    assert document["tensors_sha256"] == sha256_bytes((run / f"{LAST}.safetensors").read_bytes())
    assert document["threads"] == torch.get_num_threads()
    assert "seconds" not in (run / f"{LAST}.json").read_text()


def test_what_the_tensors_file_holds(run: Path) -> None:
    tensors = safetensors.torch.load_file(run / f"{LAST}.safetensors")
    own = set(SmallNet().state_dict())
    trained = {name for name, _ in SmallNet().named_parameters()}
    assert {name.removeprefix("weights/") for name in tensors if name.startswith("weights/")} == own
    assert {name.removeprefix("best/") for name in tensors if name.startswith("best/")} == own
    moments = {name for name in tensors if name.startswith("optimizer/")}
    assert moments == {f"optimizer/{name}/{key}" for name in trained for key in ("step", "exp_avg", "exp_avg_sq")}
    assert {name for name in tensors if name.startswith("stream/")} == {"stream/0/torch", "stream/0/module."}


def test_the_same_run_writes_the_same_bytes(run: Path, tmp_path: Path) -> None:
    train(directory=tmp_path / "again")
    assert folder_bits(tmp_path / "again") == folder_bits(run)


class Tied(nn.Module):
    """The output layer's matrix is the input layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x))).sum(1, keepdim=True)


def test_tied_weights_are_saved_once_and_stay_tied(tmp_path: Path) -> None:
    module, _ = train(Tied(), directory=tmp_path)
    tensors = safetensors.torch.load_file(tmp_path / f"{LAST}.safetensors")
    assert sorted(name for name in tensors if name.startswith("weights/")) == [
        "weights/first.bias",
        "weights/first.weight",
        "weights/second.bias",
    ]
    assert json.loads((tmp_path / f"{LAST}.json").read_text())["aliases"] == {"second.weight": "first.weight"}
    other = Tied()
    train(other, directory=tmp_path, resume=True)
    assert weight_bits(other) == weight_bits(module)
    assert other.second.weight is other.first.weight


@pytest.mark.parametrize("name", ["latest", f"{LAST}.json", f"{LAST}.safetensors"])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_noticed(run: Path, name: str, data: st.DataObject) -> None:
    path = run / name
    whole = path.read_bytes()
    needed = whole.index(BEFORE.encode()) if name == "latest" else len(whole)  # the older entry isn't read here
    at = data.draw(st.integers(0, needed - 1))
    if name == "latest" and whole[at : at + 1].isspace():
        return  # another blank in JSON is no damage
    value = data.draw(st.integers(1, 255).map(lambda flip: whole[at] ^ flip))
    path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
    try:
        with pytest.raises(FormatError) as caught:
            train(directory=run, resume=True)
        assert str(run) in str(caught.value)
    finally:
        path.write_bytes(whole)


def test_every_truncation_is_noticed(run: Path) -> None:
    for name in ("latest", f"{LAST}.json", f"{LAST}.safetensors"):
        whole = (run / name).read_bytes()
        for length in (0, 1, len(whole) // 2, len(whole) - 2):
            (run / name).write_bytes(whole[:length])
            with pytest.raises(FormatError, match=re.escape(str(run / name).removesuffix(".safetensors"))):
                CheckpointFolder(run).read()
        (run / name).write_bytes(whole)


def test_the_error_says_what_to_do_and_doing_it_works(run: Path) -> None:
    finished = folder_bits(run)
    path = run / f"{LAST}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(FormatError) as caught:
        train(directory=run, resume=True)
    assert str(caught.value) == (
        f"{path} is damaged: its SHA-256 is not the one in {LAST}.json; delete {LAST}.json and {LAST}.safetensors to "
        f"go on from {BEFORE}."
    )
    path.unlink()
    with pytest.raises(FormatError, match=rf"{LAST}.safetensors is damaged: the file is gone; delete"):
        train(directory=run, resume=True)
    (run / f"{LAST}.json").unlink()
    module, _ = train(directory=run, resume=True)
    assert weight_bits(module) == weight_bits(train()[0])
    assert folder_bits(run) == finished
    for name in (LAST, BEFORE):
        (run / f"{name}.json").unlink()
        (run / f"{name}.safetensors").unlink()
    with pytest.raises(
        FormatError, match=rf"{BEFORE}.json is damaged: the file is gone; restore it from a copy, or start"
    ):
        train(directory=run, resume=True)


def rewrite(run: Path, change: Any) -> None:
    """Alter the newest JSON file as an attacker would, checksums included."""
    values = json.loads((run / f"{LAST}.json").read_text())
    change(values)
    text = json.dumps(values).encode()
    (run / f"{LAST}.json").write_bytes(text)
    latest = json.loads((run / "latest").read_text())
    latest["checkpoints"][0]["sha256"] = sha256_bytes(text)
    (run / "latest").write_text(json.dumps(latest))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.pop("progress"), "fields don't fit together .KeyError"),
        (lambda v: v.update(schema=99), "expected a checkpoint of schema 1, found 99; use the version"),
        (lambda v: v.update(progress=3), "fields don't fit together .TypeError"),
        (lambda v: v["progress"].update(surprise=3), "fields don't fit together .TypeError"),
        (lambda v: v["monitor"].update(best_value="low"), "fields don't fit together .ValueError"),
        (lambda v: v.update(aliases={"a": "b"}), "'a' is tied"),
        (lambda v: v["optimizer"].update({"third/step": 1}), "optimizer state for 'third', which is not trained"),
        (lambda v: v.update(tensors_sha256="0" * 64), "safetensors is damaged: its SHA-256"),
        (lambda v: v.update(world_size="many"), "fields don't fit together .ValueError"),
    ],
)
def test_altered_fields_are_refused(run: Path, change: Any, words: str) -> None:
    rewrite(run, change)
    with pytest.raises(FormatError, match=words):
        train(directory=run, resume=True)


@pytest.mark.parametrize("name", ["../secret", "step-1-epoch", "step-00000027-other", "", 3])
def test_latest_names_only_checkpoints(run: Path, name: Any) -> None:
    (run / "latest").write_text(json.dumps({"schema": 1, "checkpoints": [{"name": name, "sha256": ""}]}))
    with pytest.raises(FormatError, match="latest: expected a list of checkpoints; the file is damaged or foreign"):
        train(directory=run, resume=True)


@pytest.mark.parametrize("text", ["[]", "3", '{"schema": 1}', '{"schema": 1, "checkpoints": []}', "not json"])
def test_foreign_latest(run: Path, text: str) -> None:
    (run / "latest").write_text(text)
    with pytest.raises(FormatError, match="latest"):
        train(directory=run, resume=True)


def test_another_network_is_refused(run: Path) -> None:
    with pytest.raises(FormatError, match=rf"{LAST}.json: the module lacks 'norm.bias', which the checkpoint holds"):
        train(SmallNet(norm=False), directory=run, resume=True)


def test_other_settings_or_signature_are_refused_naming_the_difference(tmp_path: Path) -> None:
    train(directory=tmp_path, signature={"data": {"rows": 60, "names": ("a", "b")}, "model": "small"})
    same = {"data": {"rows": 60, "names": ["a", "b"]}, "model": "small"}
    train(directory=tmp_path, resume=True, signature=same, checkpoint_every=2)
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"data": {"rows": 61, "names": ["a", "b"]}, "model": "small"}, {}, "data.rows was 60 and is now 61"),
        ({"data": {"rows": 60, "names": ["a", "c"]}, "model": "small"}, {}, r"data.names\[1\] was 'b' and is now 'c'"),
        ({"data": same["data"]}, {}, "model was 'small' and is now not set"),
        ({**same, "more": 1}, {}, "more was not set and is now 1"),
        (same, {"learning_rate": 0.03}, "learning_rate was 0.02 and is now 0.03"),
        (same, {"epochs": 4}, "epochs was 3 and is now 4"),
        (same, {"batches": list_of_batches(size=10)}, "steps_per_epoch was 9 and is now 6"),
    ]
    for signature, options, words in cases:
        with pytest.raises(
            SettingError, match=f"holds another run: {words}. Go on with what was saved, or choose another"
        ):
            train(directory=tmp_path, resume=True, signature=signature, **options)


def test_a_folder_with_a_run_is_not_overwritten(run: Path) -> None:
    before = folder_bits(run)
    with pytest.raises(SettingError, match="holds a run already: give resume=True to go on with it, or choose another"):
        train(directory=run)
    assert folder_bits(run) == before


def test_two_runs_are_kept_apart(tmp_path: Path) -> None:
    with folder_lock(tmp_path), pytest.raises(RunLockedError, match=r"is being written by another run .process \d+."):
        train(directory=tmp_path)

    def nested(module: nn.Module) -> dict[str, float]:
        with pytest.raises(RunLockedError):
            train(directory=tmp_path, resume=True)
        return {"loss": 1.0}

    train(directory=tmp_path, validate=nested, epochs=1)


def test_what_a_killed_process_left_is_removed_and_other_files_stay(run: Path) -> None:
    finished = folder_bits(run)
    for name in (
        f".{LAST}.json.0123456789ab.tmp",
        ".latest.ab.tmp",
        "step-00000099-epoch.json",
        "step-00000099-within.safetensors",
    ):
        (run / name).write_text("half")
    (run / "notes.txt").write_text("mine")
    train(directory=run, resume=True)
    assert folder_bits(run) == {**finished, "notes.txt": sha256_bytes(b"mine")}


def test_no_write_permission_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        fit(SmallNet(), list_of_batches(), loss, settings=FitSettings(epochs=1), directory=tmp_path / "file")


def test_a_save_is_fixed_when_it_begins(tmp_path: Path) -> None:
    folder, weight, values = CheckpointFolder(tmp_path), torch.ones(100_000), {"rows": [1]}
    folder.begin(values, {"weights/w": weight}, step=1, kind="epoch")
    weight.zero_()
    values["rows"].append(2)
    folder.wait()
    found = CheckpointFolder(tmp_path).read()
    assert found is not None
    assert found.values["rows"] == [1]
    assert bool((found.part("weights")["w"] == 1).all())


def test_a_save_that_fails_is_told_where_it_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.write({}, {"weights/w": torch.ones(1)}, step=1, kind="epoch")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("seqloom.training.checkpoint.write_bytes", full)
        folder.begin({}, {"weights/w": torch.ones(1)}, step=2, kind="epoch")
        with pytest.raises(OSError, match="No space"):
            folder.begin({}, {"weights/w": torch.ones(1)}, step=3, kind="epoch")
    folder.wait()  # told once
    found = CheckpointFolder(tmp_path).read()
    assert found is not None
    assert found.path == tmp_path / "step-00000001-epoch.json"


def test_a_run_whose_last_save_fails_doesn_t_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seqloom.training.checkpoint.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        train(epochs=1, directory=tmp_path / "run")
