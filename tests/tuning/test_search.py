"""A search: the same trials whatever the workers and however often it was ended, halved together, failures as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from searches import SPACE, InTurn, searched
from tiny_task import PARTS, Line

from seqloom.engines import LocalEngine
from seqloom.errors import FormatError, SettingError, TrainingError
from seqloom.tasks.comparison import Task
from seqloom.tuning import Search, SearchPlan
from seqloom.tuning.storage import Ledger, sqlite_url
from seqloom.tuning.trial import Shared, run_trial

pytest.importorskip("optuna")


def test_trials_are_those_of_any_number_of_workers(tmp_path: Path) -> None:
    one, two = searched(tmp_path / "one"), searched(tmp_path / "two", LocalEngine(2))
    assert one == two
    assert (tmp_path / "one" / "trials.csv").read_bytes() == (tmp_path / "two" / "trials.csv").read_bytes()
    assert [trial["number"] for trial in one] == list(range(8))
    assert one[0]["parameters"] == {}
    assert one[0]["state"] == "complete"
    assert len({trial["seed"] for trial in one}) == 8
    states = {trial["state"] for trial in one}
    assert {"complete", "pruned"} <= states
    for trial in one:
        if trial["parameters"].get("units") == 13:
            assert (trial["state"], trial["failed"]) == ("failed", "units: 13 brings bad luck.")
        if trial["state"] == "complete":
            assert trial["epochs"] == 9
            assert trial["scores"]["mae"] == trial["value"]
        assert trial["parameters"] == {} or 0.005 <= trial["parameters"]["learning_rate"] <= 0.2


def test_a_search_that_is_ended_anywhere_goes_on_to_the_same_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(tmp_path / "whole")
    methods = ("add", "_attribute", "reach", "end")
    kept = {name: getattr(Ledger, name) for name in methods}
    left = [0]

    def counted(name: str) -> Any:
        def call(self: Ledger, *values: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return kept[name](self, *values, **named)

        return call

    for name in methods:
        monkeypatch.setattr(Ledger, name, counted(name))
    ended, found = 0, None
    for step in (3, 7, 9, 12, 14, 17, 10_000):
        left[0] = step
        try:
            found = searched(tmp_path / "ended")
        except KeyboardInterrupt:
            ended += 1
    assert ended >= 4
    assert found == whole


def test_a_trial_goes_on_from_its_rung_to_the_same_bits(tmp_path: Path) -> None:
    shared = Shared(Task("line"), {"line": Line()}, PARTS)
    job = {"model": "line", "parameters": {"units": 5}, "seed": 7, "directory": str(tmp_path / "a")}
    first = run_trial(shared, {**job, "share": 1 / 9}, lambda value: None)
    again = run_trial(shared, {**job, "share": 1 / 9}, lambda value: None)
    assert (first["state"], first["epochs"]) == ("paused", 1)
    assert again["state"] == "paused"
    third = run_trial(shared, {**job, "share": 1 / 3}, lambda value: None)
    assert (third["state"], third["epochs"]) == ("paused", 3)
    ended = run_trial(shared, {**job, "share": None}, lambda value: None)
    alone = run_trial(shared, {**job, "share": None, "directory": None}, lambda value: None)
    assert ended["state"] == alone["state"] == "done"
    assert ended["value"] == alone["value"]


def test_every_trial_failing_is_one_sentence(tmp_path: Path) -> None:
    class Bad(Line):
        def fit(self, *data: Any, **how: Any) -> Line:
            raise TrainingError("the loss is NaN.")

    search = Search(SearchPlan(3, SPACE), InTurn(1))
    with pytest.raises(TrainingError, match=r"^No trial could be completed; the first failed so: the loss is NaN\."):
        search(Task("line"), {"line": Bad()}, PARTS, None, False, None)


def test_nothing_to_search_is_refused() -> None:
    class Plain(Line):
        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return {"model": "naive"}

    with pytest.raises(SettingError, match=r"^model: naive: nothing is trained there that a search could choose"):
        Search(SearchPlan(3), InTurn(1))(Task("line"), {"naive": Plain()}, PARTS, None, False, None)


def test_a_time_limit_ends_it_between_rounds(tmp_path: Path) -> None:
    root = tmp_path / "short"
    trials = searched(root, minutes=1e-9)
    assert len(trials) == 4
    assert len(searched(root)) == 8


def test_the_trials_stay_where_they_were_begun(tmp_path: Path) -> None:
    searched(tmp_path / "run", trials=2, round=2)
    other = sqlite_url(tmp_path / "other.db")
    with pytest.raises(
        SettingError, match=r"^storage: the trials .* kept in .*run/search\.db, not in .*other\.db; leave"
    ):
        searched(tmp_path / "run", trials=2, round=2, storage=other)
    assert not (tmp_path / "other.db").exists()
    first = searched(tmp_path / "shared", trials=2, round=2, storage=other)
    assert not (tmp_path / "shared" / "search.db").exists()
    assert searched(tmp_path / "beside", trials=2, round=2, storage=other) == first  # another study of the same storage
    with pytest.raises(SettingError, match=rf"^storage: the trials .* elsewhere; resume it with storage='{other}'\.$"):
        searched(tmp_path / "shared", trials=2, round=2)
    third = sqlite_url(tmp_path / "third.db")
    with pytest.raises(SettingError, match=rf"^storage: .* not kept in .*third\.db; resume it with storage='{other}'"):
        searched(tmp_path / "shared", trials=2, round=2, storage=third)
    assert not (tmp_path / "third.db").exists()
    (tmp_path / "shared" / "search.json").write_text("[]")
    with pytest.raises(FormatError, match=r"search\.json: expected the name of a study"):
        searched(tmp_path / "shared", trials=2, round=2, storage=other)


def test_trials_that_are_gone_are_not_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words may name another file from another folder; a database may be deleted, or another one put there."""
    monkeypatch.chdir(tmp_path)
    searched(tmp_path / "run", trials=2, round=2, storage="sqlite:///kept.db")
    searched(tmp_path / "run", trials=2, round=2, storage=sqlite_url(tmp_path / "kept.db"))  # the same file
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(SettingError, match=r"not kept in kept\.db; resume it with storage='sqlite:////.*/kept\.db'"):
        searched(tmp_path / "run", trials=2, round=2, storage="sqlite:///kept.db")
    assert not (tmp_path / "elsewhere" / "kept.db").exists()
    (tmp_path / "kept.db").rename(tmp_path / "moved.db")
    for lies in (False, True):
        if lies:
            searched(tmp_path / "new", trials=2, round=2, storage=sqlite_url(tmp_path / "kept.db"))
        with pytest.raises(SettingError, match=r"^storage: .*kept\.db has no trials of this search, which was begun"):
            searched(tmp_path / "run", trials=2, round=2, storage=sqlite_url(tmp_path / "kept.db"))
        assert (tmp_path / "kept.db").exists() == lies
    searched(tmp_path / "own", trials=2, round=2)
    (tmp_path / "own" / "search.db").unlink()
    with pytest.raises(SettingError, match=r"^storage: .*own/search\.db has no trials of this search"):
        searched(tmp_path / "own", trials=2, round=2)


@pytest.mark.parametrize("name", ["trials", "round"])
def test_numbers_of_a_plan(name: str) -> None:
    for value in (0, -1, 1.5, True, "many"):
        with pytest.raises(SettingError, match=rf"^{name}: expected a whole number"):
            SearchPlan(**{name: value})  # pyright: ignore[reportArgumentType]


def test_storages_that_can_not_be_used_are_one_sentence(tmp_path: Path) -> None:
    import sqlite3

    (tmp_path / "other.db").write_text("no database at all, but long enough to be read as one" * 20)
    with pytest.raises(SettingError, match=r"^storage: .*other\.db can't be used \(.*not a database"):
        Ledger(sqlite_url(tmp_path / "other.db"), "a")
    with pytest.raises(SettingError, match=r"^storage: .* can't be used"):
        Ledger("mysterious://ann:secret@nowhere/x", "a")
    path = sqlite_url(tmp_path / "held.db")
    Ledger(path, "a")
    holder = sqlite3.connect(tmp_path / "held.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SettingError, match=r"held\.db is locked by another search; wait for it"):
        Ledger(f"{path}?timeout=0.05", "b")
    holder.execute("ROLLBACK")
    holder.close()
