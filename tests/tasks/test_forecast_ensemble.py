"""The ensemble: who takes part with what weight, how it is saved, backtested and resumed, and who is left out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import SMALL, hourly, load_and_wind, moved, several, small, steps, with_values
from forecast_runs import run_in
from hypothesis import given
from hypothesis import strategies as st

from oracles.run_folders import contents
from seqloom import Forecaster, load
from seqloom.data import Panel
from seqloom.diagnostics import Drift, check_fit
from seqloom.errors import DataError, FormatError, SettingError
from seqloom.tasks.forecast import choosing as choosing_module
from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast import ensemble as ensemble_module
from seqloom.tasks.forecast import fitting as fitting_module
from seqloom.tasks.forecast import reach as reach_module
from seqloom.tasks.forecast.choosing import Standing, best_of, expected, standing, weigh
from seqloom_runtime.files import sha256_bytes
from seqloom_runtime.forecast.mixture import Member, Mixture

MEMBERS = ("naive", "linear", "dense", "gru", "conv-gru")  # damped-persistence alone is the best by far


def fitted(**changes: Any) -> Forecaster:
    return small(model="ensemble", members=MEMBERS, **changes).fit(hourly(), target="load", inputs="*")


def test_weights_are_inverse_squares_of_the_ratios_near_the_best() -> None:
    standings = {
        "a": Standing(0.95, 0.02, 9),
        "b": Standing(0.5, 0.02, 9),
        "c": Standing(0.6, None, 9),
        "d": Standing(float("inf"), None, 0),
    }
    weights = weigh(standings)
    assert list(weights) == ["b", "c"]
    raw = np.array([0.5**-2, 0.6**-2])
    np.testing.assert_allclose(list(weights.values()), raw / raw.sum())
    assert set(weigh({**standings, "b": Standing(0.5, 0.46, 9)})) == {"a", "b", "c"}  # within a standard error
    assert weigh({"a": Standing(0.0, 0.0, 3), "b": Standing(0.1, 0.0, 3)}) == {"a": 1.0}
    assert weigh({"d": standings["d"]}) == {}
    names = ("log-auto-ets", "ets", "auto-ets", "gru", "gru@1")
    alike = {name: Standing(1.0 + 0.01 * at, None, 3) for at, name in enumerate(names)}
    assert list(weigh(alike)) == ["log-auto-ets", "gru", "gru@1"]  # one of a family of methods
    same = {**alike, "linear": alike["gru"]}
    assert list(weigh(same)) == ["log-auto-ets", "gru", "gru@1"]  # a network of which the linear path alone is kept
    assert len(weigh({str(n): Standing(1.0 + n / 100, None, 3) for n in range(9)})) == choosing_module.MOST_MEMBERS


@given(
    st.lists(st.floats(0.05, 20.0), min_size=2, max_size=9, unique=True), st.floats(0.0, 100.0), st.floats(0.01, 50.0)
)
def test_few_windows_draw_the_ratios_towards_the_usual(ratios: list[float], apart: float, more: float) -> None:
    """In the same order as the ratios, nearer to each other, and the nearer the fewer windows; all of them if many."""
    few = expected({str(at): Standing(ratio, None, 9, apart) for at, ratio in enumerate(ratios)})
    many = expected({str(at): Standing(ratio, None, 9, apart + more) for at, ratio in enumerate(ratios)})
    order = np.argsort(ratios)
    assert (np.diff([few[str(at)] for at in order]) >= -1e-12).all()
    spread = [np.ptp(np.log(list(each.values()))) for each in (few, many)]
    assert spread[0] <= spread[1] + 1e-12 <= np.ptp(np.log(ratios)) + 2e-12
    assert list(expected({"a": Standing(0.3, None, 9)}).values()) == [0.3]


def test_networks_and_logarithms_must_show_that_they_are_better() -> None:
    """Where few windows tell, a statistical method stands before a network, and values before their logarithms."""
    told = expected(
        {name: Standing(0.7, None, 2, 1.0) for name in ("auto-ets", "gru", "log-auto-ets", "log-gru", "naive")}
    )
    assert told["auto-ets"] < told["log-auto-ets"] < told["gru"] < told["log-gru"]
    assert weigh({"ets": Standing(0.7, None, 2, 1.0), "gru": Standing(0.69, None, 2, 1.0)}).keys() == {"ets", "gru"}


def test_windows_apart_are_counted_over_all_series() -> None:
    """Two series of 13 and 5 origins, 4 rows ahead: 12/4 + 1 and 4/4 + 1."""
    series, ticks = np.repeat([0, 3], [13, 5]), np.concatenate([np.arange(13), 7 + np.arange(5)])
    order = np.random.default_rng(0).permutation(18)
    assert choosing_module._apart(series[order], ticks[order], 4) == pytest.approx(4 + 2)


def test_the_ensemble_is_taken_unless_one_is_better_by_more_than_two_standard_errors() -> None:
    few = {"naive": Standing(1.0, 0.0, 9, 2.0), "single": Standing(0.5, 0.05, 9, 2.0)}
    assert best_of({**few, "ensemble": Standing(0.7, 0.1, 9, 2.0)}, "naive", "ensemble") == "ensemble"
    naive, single = Standing(1.0, 0.0, 9), Standing(0.5, 0.05, 9)
    for ratio, best in ((0.59, "ensemble"), (0.61, "single"), (float("inf"), "single")):
        assert (
            best_of({"naive": naive, "single": single, "ensemble": Standing(ratio, 0.1, 9)}, "naive", "ensemble")
            == best
        )
    assert best_of({"naive": naive, "single": single}, "naive", "ensemble") == "single"
    assert best_of({"naive": naive, "single": naive}, "naive") == "naive"


def test_the_standard_error_is_that_of_many_draws() -> None:
    """Errors that are related over a horizon: the formula's mean is near the spread of the ratio over 300 series."""
    rng, horizon, found, told = np.random.default_rng(3), 4, [], []
    for _ in range(300):
        panel = steps(np.cumsum(rng.normal(size=400)))
        data = Forecaster(model="naive", lookback=2, horizon=horizon, split=(150, 200)).prepare(
            panel, target="column_0"
        )
        origins = data.valid
        naive = choosing_module.naive_windows(data, origins)
        other = naive + 0.5 * (data.history.values[origins] - data.history.values[origins - 1])[:, None]
        stands = standing(data, origins, other, naive)
        found.append(stands.ratio)
        told.append(stands.error)
    assert 0.7 < np.mean(told) / np.std(found) < 1.3


def test_forecasts_are_the_weighted_average_of_the_members() -> None:
    ensemble, panel = fitted(), hourly()
    data = ensemble.prepare(panel, target="load", inputs="*")
    members = ensemble.members_.members
    assert 2 <= len(members) <= choosing_module.MOST_MEMBERS
    assert sum(member.weight for member in members) == pytest.approx(1)
    expected = sum(m.weight * m.forecaster.forecast_windows(data, data.test) for m in members)
    np.testing.assert_allclose(ensemble.forecast_windows(data, data.test), expected, rtol=1e-12)
    ahead = sum(m.weight * m.forecaster.forecast().values for m in members)
    np.testing.assert_allclose(ensemble.forecast().values, ahead, rtol=1e-12)
    np.testing.assert_allclose(ensemble.forecast(panel).values, ahead, rtol=1e-6)
    assert ensemble.n_parameters_ == sum(m.forecaster.n_parameters_ for m in members) + len(members)
    assert any("is the average of" in note for note in ensemble.notes_)


def test_a_member_that_explodes_is_left_out_where_it_does() -> None:
    forecasters: Any = [None, None]
    mixture = Mixture(
        tuple(Member(name, 0.5, f) for name, f in zip("ab", forecasters)), ("s",), np.array([0.0]), np.array([10.0])
    )
    each = np.array([[[1.0], [4.0], [np.nan], [99.0], [99.0]], [[3.0], [50.0], [2.0], [99.0], [99.0]]])
    read = np.zeros(5), np.full(5, 10.0 / 3)
    values, used = mixture.averaged(each, ["s", "s", "s", "s", "new"], read)
    np.testing.assert_array_equal(values[:, 0], [2.0, 4.0, 2.0, 99.0, 99.0])
    np.testing.assert_array_equal(used, [[True, True, False, True, True], [True, False, True, True, True]])
    # Rows that were read up to 40 tell that 50 is no explosion.
    values, used = mixture.averaged(each[:, 1:2], ["s"], (np.zeros(1), np.full(1, 40.0)))
    np.testing.assert_array_equal(values[:, 0], [27.0])


def test_after_a_shift_of_the_level_the_rows_that_were_read_tell_what_is_far_out() -> None:
    """Training rows at 20, rows read at 60: what forecasts 60 is right, and no member that explodes."""
    rng = np.random.default_rng(3)
    ensemble = small(model="ensemble", members=("naive", "drift", "mean"), season=None, lookback=4)
    ensemble.fit(steps(20 + rng.normal(0, 0.5, 80)), target="column_0")
    later = steps(np.concatenate([20 + rng.normal(0, 0.5, 80), 60 + rng.normal(0, 0.5, 30)]))
    table = ensemble.forecast(later)
    assert not any("far out" in note for note in table.notes)
    each = [member.weight * member.forecaster.forecast(later).values for member in ensemble.members_.members]
    np.testing.assert_allclose(table.values, np.sum(each, axis=0))


def test_of_the_rows_read_none_after_the_origin_tells_what_is_far_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next row is the first at a new level: before it, a forecast at that level is far out."""
    values = load_and_wind()
    values[210:, 0] += 500
    data = small(model="naive").prepare(with_values(hourly(), values), target="load")
    members = [Member(name, 0.5, small(model="naive").fit_prepared(data)) for name in "ab"]
    low, high = reach_module.range_of(data)
    mixture = Mixture(tuple(members), data.panel.ids, low, high)
    forecast = Forecaster.forecast_windows

    def moved_up(self: Forecaster, data: Any, origins: np.ndarray) -> np.ndarray:
        return forecast(self, data, origins) + (550 if self is members[1].forecaster else 0)

    monkeypatch.setattr(Forecaster, "forecast_windows", moved_up)
    origins, steps_ahead = np.array([209]), np.full(4, values[209, 0])
    np.testing.assert_allclose(ensemble_module.mixture_windows(mixture, data, origins)[0], steps_ahead)
    read = ensemble_module.read_before
    monkeypatch.setattr(ensemble_module, "read_before", lambda *rows: read(rows[0], rows[1], rows[2], rows[3] + 1))
    assert not np.allclose(ensemble_module.mixture_windows(mixture, data, origins)[0], steps_ahead)


def test_a_forecast_says_who_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ensemble = small(model="ensemble", members=("naive", "drift"), lookback=4).fit(
        steps(np.arange(80.0) % 3 + 1), target="column_0"
    )
    assert {member.name for member in ensemble.members_.members} == {"naive", "drift"}
    monkeypatch.setattr(
        Drift, "_forecast", lambda self, history, origins, ahead: np.full((len(origins), len(ahead)), 1e6)
    )
    table = ensemble.forecast()
    assert "drift is left out of this forecast, as it leads far out of the range of the rows before it." in table.notes
    np.testing.assert_array_equal(table.values, 2.0)


def test_a_saved_ensemble_is_one_folder_that_forecasts_the_same(tmp_path: Path) -> None:
    ensemble = fitted(calendar=True)
    ensemble.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]
    again = load(tmp_path / "model")
    for data in (None, hourly()):
        one, other = ensemble.forecast(data), again.forecast(data)
        np.testing.assert_array_equal(one.values, other.values)
        assert one.notes == other.notes
        for level, sides in one.bounds.items():
            np.testing.assert_array_equal(sides, other.bounds[level])
    again.save(tmp_path / "again")
    assert (tmp_path / "again" / "model.json").read_bytes() == (tmp_path / "model" / "model.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: h["members"].clear(), "1 to 6 members"),
        (lambda h: h["members"][0].update(weight=0.9), "add up to 1"),
        (lambda h: h["members"][0].update(weight=-1.0), "weight above 0"),
        (lambda h: h["members"][0]["model"].update(season=3.0), "not that of the ensemble"),
        (lambda h: h["members"][0]["model"]["parameters"].update(model="ensemble"), "ensemble itself"),
        (lambda h: h["members"].pop(), "arrays are not those of the members"),
        (lambda h: h.update(range_ids=[]), "range of each series"),
        (lambda h: h["members"][1].update(name=h["members"][0]["name"]), "different names"),
        (lambda h: h["members"][0].update(name="gru" * 1000), "at most 200 characters"),
    ],
)
def test_a_damaged_ensemble_is_refused(change: Any, words: str, tmp_path: Path) -> None:
    ensemble = small(model="ensemble", members=("naive", "dense")).fit(hourly(), target="load", inputs="*")
    ensemble.save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    header = json.loads(path.read_text())
    change(header)
    del header["checksum"]
    header["checksum"] = sha256_bytes(json.dumps(header, sort_keys=True, ensure_ascii=False).encode())
    path.write_text(json.dumps(header))
    with pytest.raises(FormatError, match=words):
        load(tmp_path / "model")


def test_members_that_cant_be_are_refused() -> None:
    for members, words in ((("ensemble",), "'ensemble'"), (("gru@x",), "'gru@x'")):
        with pytest.raises(SettingError, match=words):
            small(model="ensemble", members=members).fit(hourly(), target="load", inputs="*")
    with pytest.raises(SettingError, match="model: expected one of"):
        small(model="ensemble", members=("grue",)).fit(hourly(), target="load", inputs="*")


def test_without_members_the_usual_candidates_are_tried() -> None:
    ensemble = small(model="ensemble").fit(hourly(), target="load", inputs="*")
    assert any(
        note.startswith("Candidates of preset='good': naive, seasonal, seasonal-week, damped-persistence, ")
        for note in ensemble.notes_
    )


def test_another_seed_of_a_network_is_another_member() -> None:
    ensemble = small(model="ensemble", members=("linear", "linear@1")).fit(hourly(), target="load", inputs="*")
    seeds = {member.name: member.forecaster.seed for member in ensemble.members_.members}
    assert seeds == {"linear": 0, "linear@1": 1}


def test_a_model_that_cant_be_fitted_is_left_out_with_a_note() -> None:
    flat = np.concatenate([np.zeros(200), np.arange(40.0)])
    ensemble = small(model="ensemble", members=("naive", "drift", "theta"), season=None).fit(
        steps(flat), target="column_0"
    )
    assert any(note.startswith("theta is left out:") for note in ensemble.notes_)
    with pytest.raises(DataError, match="constant"):
        small(model="ensemble", members=("theta",), season=None).fit(steps(flat), target="column_0")


def test_a_comparison_has_the_ensemble_as_a_row_of_its_table(tmp_path: Path) -> None:
    models = ("seasonal", "ensemble", "damped-persistence", "linear")
    run = run_in(tmp_path / "run", models=models)
    assert list(run.metrics["models"]) == ["naive", "seasonal", "damped-persistence", "linear", "ensemble"]
    mine = run.metrics["models"]["ensemble"]
    assert mine["kind"] == "ensemble"
    assert sum(mine["members"].values()) == pytest.approx(1)
    assert mine["choosing"]["windows"] == run.metrics["windows"]["valid_choosing"]
    for name, row in run.metrics["models"].items():
        assert row["choosing"]["ratio"] == pytest.approx(
            1 - (1 - row["choosing_mae"] / run.metrics["models"]["naive"]["choosing_mae"]), rel=1e-9
        ), name
    # What is averaged are the fitted candidates themselves: nothing is trained twice.
    assert all(m.forecaster is run.forecasters[m.name] for m in run.forecasters["ensemble"].members_.members)
    again = run_in(tmp_path / "again", models=models)
    assert contents(tmp_path / "run") == contents(tmp_path / "again")
    assert again.metrics == run.metrics
    assert load(tmp_path / "run").model == run.metrics["best"]


def test_an_interrupted_ensemble_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(event: Any) -> None:
        if type(event).__name__ == "EpochDone" and event.row.epoch == 2:
            raise Stop

    whole = run_in(tmp_path / "whole", models=("linear", "gru", "ensemble"))
    with pytest.raises(Stop):
        run_in(tmp_path / "run", models=("linear", "gru", "ensemble"), on_event=stop)
    run = run_in(tmp_path / "run", models=("linear", "gru", "ensemble"), resume=True)
    assert run.metrics == whole.metrics
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_backtest_fits_an_ensemble_anew_before_every_cutoff() -> None:
    ensemble = small(model="ensemble", members=("naive", "damped-persistence", "seasonal"))
    found = ensemble.cross_validate(hourly(), target="load", inputs="*", n_windows=2)
    assert found.metrics["fits"] == 2
    changed = load_and_wind()
    changed[232:] += 100  # after the first cutoff
    other = ensemble.cross_validate(with_values(hourly(), changed), target="load", inputs="*", n_windows=2)
    np.testing.assert_array_equal(found.columns["forecast"][:4], other.columns["forecast"][:4])


def test_of_several_series_each_has_an_average_of_its_own() -> None:
    panel = several({"a": 200, "b": 170, "c": 200})
    ensemble = small(model="ensemble", members=("naive", "seasonal", "linear")).fit(panel, target="column_0")
    table = ensemble.forecast()
    assert len(table.values) == 12
    assert np.isfinite(table.values).all()


def test_rows_that_come_later_reach_neither_weights_nor_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """168 train, 24 choose, 12 calibrate, 36 test."""

    def fit(values: np.ndarray) -> dict[str, np.ndarray]:
        ensemble = small(model="ensemble", members=("naive", "drift", "gru"), levels=()).fit(
            with_values(hourly(), values), target="load"
        )
        mixture = ensemble.members_
        return {
            "names": np.array([member.name for member in mixture.members]),
            "weights": np.array([member.weight for member in mixture.members]),
            "range": np.concatenate([mixture.low, mixture.high]),
            "choosing": np.array([ensemble.choosing_mae_]),
        }

    changes = ("noise", "huge", "zero", "reversed")
    check_fit(fit, load_and_wind(), 192, perturbations=changes).raise_for_leak()
    mix = fitting_module.mix

    def with_test(forecaster: Any, data: Any, *rest: Any) -> Any:  # a mistake: the test windows choose too
        return mix(forecaster, dataclasses.replace(data, choose=np.concatenate([data.choose, data.test])), *rest)

    monkeypatch.setattr(fitting_module, "mix", with_test)
    assert not check_fit(fit, load_and_wind(), 192, perturbations=changes).passed


def test_a_range_of_all_rows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small(model="naive").prepare(hourly(), target="load", inputs="*")

    def limits(values: np.ndarray) -> dict[str, np.ndarray]:
        return {"range": np.concatenate(reach_module.range_of(moved(data, values)))}

    changes = ("noise", "huge", "zero")
    check_fit(limits, load_and_wind(), 168, perturbations=changes).raise_for_leak()
    monkeypatch.setattr(data, "train_rows", np.ones(240, dtype=bool))
    assert not check_fit(limits, load_and_wind(), 168, perturbations=changes).passed


def test_optional_models_may_fail_and_named_ones_not() -> None:
    flat = steps(np.concatenate([np.zeros(200), np.arange(40.0)]))
    parameters = {**SMALL, "season": None}
    run = compare_forecasters(flat, ["theta", "drift"], parameters, target="column_0", optional=["theta"])
    assert list(run.metrics["models"]) == ["naive", "drift"]
    assert run.metrics["notes"][0].startswith("theta is left out: Baseline 'theta' can't be fitted")
    with pytest.raises(DataError, match="constant"):
        compare_forecasters(flat, ["theta", "drift"], parameters, target="column_0")


def test_intermittent_demand_is_chosen_by_squared_errors() -> None:
    """A forecast of 0 has the least absolute errors of demand that comes now and then, the mean the least squared."""
    rng = np.random.default_rng(0)
    demand = np.where(rng.random(300) < 0.3, rng.integers(1, 9, 300), 0).astype(float)
    data = Forecaster(model="naive", lookback=2, horizon=2, split=(150, 80)).prepare(steps(demand), target="column_0")
    assert data.intermittent
    naive = choosing_module.naive_windows(data, data.valid)
    stands = {
        name: standing(data, data.valid, np.full_like(naive, value), naive)
        for name, value in (("zero", 0.0), ("mean", demand[:150].mean()))
    }
    assert stands["mean"].ratio < stands["zero"].ratio
    truth = data.truth(data.valid)
    expected_ratio = np.sqrt(((truth - demand[:150].mean()) ** 2).sum() / ((truth - naive) ** 2).sum())
    assert stands["mean"].ratio == pytest.approx(expected_ratio)
    assert any("% of the training rows are 0" in note for note in data.notes())
    run = compare_forecasters(steps(demand), ["mean", "linear"], {"lookback": 2, "horizon": 2}, target="column_0")
    assert run.forecasters["linear"].loss == "mse"
    assert run.metrics["models"]["mean"]["choosing"]["ratio"] < 1


def test_the_week_stands_beside_the_day() -> None:
    """Hourly rows with a week in them: the value a week ago is a candidate, and the window holds a week."""
    hours = np.arange(24 * 7 * 6)
    weekend = (hours // 24) % 7 >= 5
    load = 100 + 20 * np.sin(2 * np.pi * hours / 24) - 60 * weekend + np.random.default_rng(1).normal(size=len(hours))
    time = np.datetime64("2024-01-01T00") + hours.astype("timedelta64[h]")
    panel = Panel.from_numpy(load[:, None], ["load"], time=time.astype("M8[us]"))
    run = compare_forecasters(panel, None, {}, target="load", preset="fast", refit=False)
    ratios = {name: each["choosing"]["ratio"] for name, each in run.metrics["models"].items()}
    assert ratios["seasonal-week"] < 0.5 * ratios["seasonal"]
    assert run.data.spec.lookback == 168


def test_members_without_an_ensemble_are_refused() -> None:
    parameters = {**SMALL, "members": ("damped-persistence",)}
    with pytest.raises(SettingError, match="members: only an ensemble has members, and none is among the models"):
        compare_forecasters(hourly(), ["damped-persistence"], parameters, target="load")
    parameters["members"] = ("damped-persistence", "gru")
    with pytest.raises(SettingError, match=r"compared \(naive, damped-persistence\), got 'gru'"):
        compare_forecasters(hourly(), ["damped-persistence", "ensemble"], parameters, target="load")


def test_an_ensemble_of_one_model_is_told_as_that_model() -> None:
    notes = small(model="ensemble", members=("damped-persistence",)).fit(hourly(), target="load").notes_
    assert any(note.startswith("ensemble is one model alone, damped-persistence: the best of 1") for note in notes)
