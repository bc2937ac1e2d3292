"""The folder of a panel on disk: whose it is, what it is made anew for, and that nothing else in it is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_stored_sources import in_folders, series

from seqloom.tasks.forecast.stored_training import about_stored
from seqloom_runtime.data.on_disk import StoredPanel, sample, store_panel
from seqloom_runtime.errors import FormatError, SettingError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return in_folders({"x.parquet": series(5)}, tmp_path / "in")


@pytest.mark.parametrize("name", ["frequency", "columns", "zone", "static", "time_format", "source", "fill"])
def test_a_header_that_was_altered_is_made_anew(tmp_path: Path, source: Path, name: str) -> None:
    cache = tmp_path / "cache"
    made = store_panel(source, cache)
    header = cache / "stored-panel.json"
    about = json.loads(header.read_text())
    other = {"frequency": {**about["frequency"], "n": about["frequency"]["n"] * 2}, "columns": ["wind"], "source": None}
    header.write_text(json.dumps({**about, name: other.get(name, "else")}))
    with pytest.raises(FormatError, match="not as it was written"):
        StoredPanel.open(cache)
    again = store_panel(source, cache)
    assert "was made anew" in again.notes[0]
    assert (again.fingerprint, again.columns, again.frequency) == (made.fingerprint, made.columns, made.frequency)


@pytest.mark.parametrize("name", ["ids.json", "stored-panel.json", "values.bin", "tick.bin", "offsets.bin"])
def test_a_file_that_was_removed_is_made_anew(tmp_path: Path, source: Path, name: str) -> None:
    store_panel(source, tmp_path / "cache")
    (tmp_path / "cache" / name).unlink()
    if name in ("tick.bin", "offsets.bin", "values.bin", "ids.json"):
        assert "was made anew" in store_panel(source, tmp_path / "cache").notes[0]
    store_panel(source, tmp_path / "cache").verify()


def test_a_table_is_the_same_however_its_path_is_written(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_panel(source, tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("in")
    for path in ("in", "in/", "./in", "link", source):
        assert "used again" in store_panel(path, tmp_path / "cache").notes[0]
    in_folders({"in/x.parquet": series(900)}, tmp_path / "other")
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(SettingError, match=r"holds the panel of .*in, not of in; give another folder"):
        store_panel("in", tmp_path / "cache")
    store_panel("in", tmp_path / "second")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=r"holds the panel of '.*other/in', not of '.*in'"):
        store_panel("in", tmp_path / "second")


def test_files_of_others_are_never_removed(tmp_path: Path, source: Path) -> None:
    cache = tmp_path / "cache"
    store_panel(source, cache)
    (cache / "thesis.txt").write_text("x")
    assert "used again" in store_panel(source, cache).notes[0]
    series(7).write_parquet(source / "x.parquet")
    with pytest.raises(SettingError, match=r"made anew but holds other files too, such as 'thesis.txt'"):
        store_panel(source, cache)
    assert (cache / "thesis.txt").read_text() == "x"
    (cache / "thesis.txt").unlink()
    assert "have changed" in store_panel(source, cache).notes[0]


def test_a_place_that_is_none(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cache in (source / "cache", source, source / "a" / "cache"):
        with pytest.raises(SettingError, match=r"cache: .* lies in the table's own .*in; name a folder outside it"):
            store_panel(source, cache)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "cache")
    with pytest.raises(SettingError, match="is a link to what isn't there"):
        store_panel(source, tmp_path / "dangling")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(SettingError, match=r"cache: \. is the folder that you work in; name a new one in it"):
        store_panel(source, ".")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / ".cache.building").symlink_to("mine")
    with pytest.raises(SettingError, match="is in the way"):
        store_panel(source, tmp_path / "cache")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_links_to_a_folder_are_followed(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk" / "cache").mkdir(parents=True)
    (tmp_path / "cache").symlink_to("disk/cache")
    store_panel(source, tmp_path / "cache")
    assert (tmp_path / "cache").is_symlink()
    StoredPanel.open(tmp_path / "disk" / "cache").verify()
    assert "used again" in store_panel(source, tmp_path / "cache").notes[0]
    monkeypatch.chdir(tmp_path / "disk" / "cache")
    assert "used again" in store_panel(source, ".").notes[0]


@pytest.mark.parametrize("memory", [10**30, 0, -1, True, 2.5])
def test_memory_that_cannot_be_meant(tmp_path: Path, memory: int) -> None:
    with pytest.raises(SettingError, match=r"memory: expected (at (least|most)|a number of bytes)"):
        store_panel(tmp_path / "nothing", tmp_path / "cache", memory=memory)


def test_it_is_said_that_the_best_model_is_not_fitted_once_more(tmp_path: Path, source: Path) -> None:
    whole = sample(store_panel(source, tmp_path / "cache"), 10**6)
    assert "not fitted once more on all rows" in about_stored(whole, refit=True)[0]
    assert about_stored(whole, refit=False) == []
