"""Searches whose place refuses them in the middle: one sentence, and they go on to the same trials."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from searches import searched

from seqloom.engines import LocalEngine
from seqloom.errors import FormatError, SettingError, TrainingError
from seqloom.tuning.storage import sqlite_url, try_storage

pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that is over, with its storage."""
    root = tmp_path_factory.mktemp("kept") / "run"
    searched(root)
    return root


@pytest.fixture(scope="module")
def whole(kept: Path) -> list[dict[str, Any]]:
    """The trials of a search that nothing refused."""
    return json.loads((kept / "trials.json").read_text())["trials"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=20)


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with open(path, "wb", buffering=0) as full:
        os.posix_fallocate(full.fileno(), 0, shutil.disk_usage(path.parent).free)


def test_a_disk_that_is_full_during_a_trial_loses_no_trial(small: Path, whole: list[dict[str, Any]]) -> None:
    ended, found = [], None
    for _ in range(3):

        def told(event: Any) -> None:
            if type(event).__name__ == "TrialFinished" and not event.kept and not (small / "filler").exists():
                fill(small / "filler")

        try:
            found = searched(small / "run", LocalEngine(2), told)
        except (OSError, TrainingError) as error:
            ended.append(error)
        (small / "filler").unlink(missing_ok=True)
    for error in ended:
        if isinstance(error, OSError):
            assert error.errno == errno.ENOSPC
        else:
            assert "search.db can't be written (" in str(error)
            assert "what was found so far is kept there" in str(error)
    assert len(ended) >= 2
    assert (found or searched(small / "run")) == whole


def test_a_worker_whose_folder_is_full_ends_the_search_and_no_trial(
    tmp_path: Path, small: Path, whole: list[dict[str, Any]]
) -> None:
    """The storage lies elsewhere, so that the checkpoint is what can't be written."""
    storage = sqlite_url(tmp_path / "trials.db")

    def told(event: Any) -> None:
        if type(event).__name__ == "TrialsAsked":
            fill(small / "filler")

    with pytest.raises(OSError, match="No space left") as refused:
        searched(small / "run", LocalEngine(2), told, storage=storage)
    assert refused.value.errno == errno.ENOSPC
    assert "trial-" in str(refused.value.filename)
    (small / "filler").unlink()
    assert searched(small / "run", storage=storage) == whole


def test_a_storage_that_is_locked_in_the_middle_loses_nothing(tmp_path: Path, whole: list[dict[str, Any]]) -> None:
    path = tmp_path / "shared.db"
    storage = f"{sqlite_url(path)}?timeout=0.05"
    holders = []

    def told(event: Any) -> None:
        if type(event).__name__ == "TrialFinished" and event.number == 3 and not holders:
            holders.append(sqlite3.connect(path, isolation_level=None))
            holders[0].execute("BEGIN EXCLUSIVE")

    with pytest.raises(SettingError, match=r"^storage: .*shared\.db.* is locked by another search; wait for it"):
        searched(tmp_path / "run", LocalEngine(2), told, storage=storage)
    holders[0].execute("ROLLBACK")
    holders[0].close()
    assert searched(tmp_path / "run", storage=storage) == whole


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://u:pw@127.0.0.1:abc/x",
            r"storage: postgresql://u@127.0.0.1:abc/x can't be used \(.*'abc'\); write sqlite",
        ),
        (
            "sqlite:///{}/s.db?timeout=abc",
            r"storage: .*/s\.db can't be used \(could not convert string to float: 'abc'",
        ),
        ("sqlite:///{}/s.db?detect_types=x", r"storage: .*/s\.db can't be used \(invalid literal"),
        (
            "sqlite:///{}/none/s.db",
            r"storage: .*/none/s\.db can't be used \(unable to open database file\); write sqlite:///FILE",
        ),
    ],
)
def test_a_storage_that_cannot_be_opened_is_one_sentence(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as refused:
        try_storage(url.format(tmp_path))
    assert "pw" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "modules", "package"),
    [
        ("postgresql+psycopg://u:s3cret@h/x", ("psycopg",), "psycopg[binary]"),
        ("postgresql+psycopg2://u:s3cret@h/x", ("psycopg2",), "psycopg2-binary"),
        ("mysql://u:s3cret@127.0.0.1/x", ("MySQLdb",), "mysqlclient"),
        ("oracle+oracledb://u:s3cret@h", ("oracledb",), "oracledb"),
        ("mssql+pyodbc://u:s3cret@h/x", ("pyodbc",), "pyodbc"),
    ],
)
def test_a_driver_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, modules: tuple[str, ...], package: str
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingError) as refused:
        try_storage(url)
    text = str(refused.value)
    assert text.startswith(f"storage: {url.replace(':s3cret', '')} needs {modules[0]}, which is not installed")
    assert text.endswith(f"run pip install '{package}'.")
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("table", "column", "key", "value"),
    [
        ("trial_user_attributes", "value_json", "parameters", '{"units": 4'),
        ("trial_user_attributes", "value_json", "model", "linf\\"),
        ("trial_user_attributes", "value_json", "model", '"lime"'),
        ("trial_user_attributes", "value_json", "seed", "null"),
        ("trial_user_attributes", "value_json", "parameters", '{"unitz": 4}'),
        ("trial_user_attributes", "value_json", "rung:0", "[1]"),
        ("trial_user_attributes", "value_json", "rung:0", '{"value": "1"}'),
        ("trial_user_attributes", "value_json", "result", '{"end": "complete", "value": "1"}'),
        ("trial_user_attributes", "value_json", "result", '{"end": "completf", "value": 1}'),
        ("study_user_attributes", "value_json", "minutes", "0.0.1"),
        ("study_user_attributes", "value_json", "minutes", '"x"'),
    ],
)
def test_a_storage_that_is_damaged_is_one_sentence(
    tmp_path: Path, kept: Path, table: str, column: str, key: str, value: str
) -> None:
    shutil.copytree(kept, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "search.db") as database:
        changed = database.execute(f"UPDATE {table} SET {column} = ? WHERE key = ?", (value, key))
        assert changed.rowcount
        if table.startswith("study"):  # the time is read where a round is left to do
            database.execute("DELETE FROM trial_user_attributes WHERE trial_id = 8")
            database.execute("DELETE FROM trials WHERE trial_id = 8")
    database.close()
    with pytest.raises(FormatError, match=r"search\.db: .*damaged"):
        searched(tmp_path / "run")


def test_a_damaged_word_of_the_database_is_one_sentence(tmp_path: Path, kept: Path) -> None:
    shutil.copytree(kept, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "search.db") as database:
        database.execute("UPDATE trials SET state = 'COMPLETF'")
    database.close()
    with pytest.raises((FormatError, SettingError), match=r"search\.db"):
        searched(tmp_path / "run")
