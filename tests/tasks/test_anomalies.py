"""Anomaly detection: the autoencoders against NumPy, the bound and its gradient, scores, threshold, leaks, folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import seqloom
from oracles.numpy_recurrent import Twin
from seqloom import AnomalyDetector, Panel
from seqloom.diagnostics.planted import KINDS, plant_anomalies
from seqloom.errors import DataError, FormatError, Interrupted, SeqloomError, SettingError
from seqloom.tasks.anomalies import compare_detectors
from seqloom.tasks.anomalies import learning as learning_module
from seqloom.tasks.anomalies.learning import scoring_of
from seqloom.tasks.anomalies.network import NETWORKS, AnomalySpec, Autoencoder, build_autoencoder, kl_divergence
from seqloom.training import events
from seqloom_runtime.anomalies.baselines import BASELINES, RollingZScore, SeasonalResidual
from seqloom_runtime.anomalies.errors import errors_of, scores_of
from seqloom_runtime.anomalies.rows import Rows, starts_of

SMALL: dict[str, Any] = {"units": 6, "code": 2, "window": 12, "season": 24, "epochs": 2, "steps_per_epoch": 8}


def wave(rows: int = 480, seed: int = 0, columns: int = 1) -> np.ndarray:
    draw = np.random.default_rng(seed)
    phase = np.arange(columns) * 0.7
    return np.sin(np.arange(rows)[:, None] * np.pi / 12 + phase) + 0.1 * draw.standard_normal((rows, columns))


def small(model: str = "gru-autoencoder", **options: Any) -> AnomalyDetector:
    return AnomalyDetector(model=model, **{**SMALL, **options})


def rows_of(values: np.ndarray) -> Rows:
    known = np.isfinite(values)
    return Rows(np.where(known, values, 0.0), known, np.arange(len(values)), ((0, len(values)),))


def by_hand(network: Autoencoder, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """The mean of the code, its log variance, and the rows drawn again (T, F) of one window."""
    w = {name: tensor.detach().double().numpy() for name, tensor in network.state_dict().items()}
    kind = network.spec.encoder.kind

    def run(part: str, x: np.ndarray, start: np.ndarray) -> np.ndarray:
        for layer in range(network.spec.layers):
            own = {key: w[f"{part}.cells.{layer}.{key}"] for key in ("w_x", "w_h", "bias")}
            h = start[layer][None]
            x = Twin("elman" if kind == "rnn" else kind, own).run(x[None], h, np.zeros_like(h))[0][0]
        return x

    layers, units = network.spec.layers, network.spec.units
    code = w["code.weight"] @ run("encoder.recurrent", x, np.zeros((layers, units)))[-1] + w["code.bias"]
    mean, spread = (code[: len(code) // 2], code[len(code) // 2 :]) if network.spec.variational else (code, None)
    start = np.tanh(w["start.weight"] @ mean + w["start.bias"]).reshape(layers, units)
    features = run("decoder", np.tile(mean, (len(x), 1)), start)
    return mean, spread, features @ w["output.weight"].T + w["output.bias"]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_network_against_numpy(name: str, layers: int) -> None:
    network = build_autoencoder(AnomalySpec(name, 2, 7, code=3, units=5, layers=layers), 3).eval()
    x = np.random.default_rng(1).normal(size=(3, 7, 2)).astype(np.float32)
    known = np.random.default_rng(2).random(x.shape) < 0.8
    with torch.no_grad():
        again = network(torch.from_numpy(x)).numpy()
        loss = network.loss(torch.from_numpy(x), torch.from_numpy(known).float(), beta=0.3).item()
    found = [by_hand(network, row.astype(np.float64)) for row in x]
    hand = np.stack([rows for _, _, rows in found])
    assert np.abs(again - hand).max() < 1e-5
    error = (x - hand) ** 2
    if not network.spec.variational:
        assert loss == pytest.approx(error[known].mean(), rel=1e-5)
        return
    kl = sum(0.5 * (m**2 + np.exp(s) - s - 1).sum() for m, s, _ in found if s is not None)
    noise = network.log_noise.detach().double().numpy()
    fit = -0.5 * (error / np.exp(noise) + noise + np.log(2 * np.pi))
    assert loss == pytest.approx(-(fit[known].sum() - 0.3 * kl) / known.sum(), rel=1e-5)


def test_the_bound_is_the_likelihood_where_the_code_says_nothing() -> None:
    """ln p(x) of a decoder that ignores its code is known in closed form, and q = p(z) makes the bound equal to it."""
    network = build_autoencoder(AnomalySpec("gru-vae", 1, 4, code=2, units=3), 0).eval()
    x, again, known = torch.randn(5, 4, 1), torch.zeros(5, 4, 1), torch.ones(5, 4, 1)
    zero = torch.zeros(5, 2)
    exact = torch.distributions.Normal(0.0, 1.0).log_prob(x).mean()
    assert network.elbo(x, known, again, zero, zero).item() == pytest.approx(exact.item(), rel=1e-6)
    assert network.elbo(x, known, again, zero + 1, zero).item() < exact.item()


def test_the_divergence_and_its_gradient() -> None:
    mean, log_variance = (torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    torch_own = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (0.5 * log_variance).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    found = kl_divergence(mean, log_variance)
    assert torch.allclose(found, torch_own.sum(dim=1))
    found.sum().backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert torch.allclose(mean.grad, mean)
    assert torch.allclose(log_variance.grad, 0.5 * (log_variance.exp() - 1))


def test_a_row_is_scored_by_every_window_that_covers_it() -> None:
    network = build_autoencoder(AnomalySpec("gru-autoencoder", 2, 5, code=2, units=4), 1).eval()
    values = np.random.default_rng(0).normal(size=(30, 2))
    values[7, 1] = np.nan
    rows = Rows(np.nan_to_num(values), np.isfinite(values), np.arange(30), ((0, 20), (20, 30)))
    assert starts_of(rows, 5).tolist() == [*range(16), *range(20, 26)]
    total, count, last = np.zeros((30, 2)), np.zeros(30), np.full((30, 2), np.nan)
    for start in starts_of(rows, 5):
        x = rows.values[start : start + 5]
        error = (by_hand(network, x)[2] - x) ** 2
        total[start : start + 5] += error
        count[start : start + 5] += 1
        last[start + 4] = error[4]
    expected = total / count[:, None]
    expected[7, 1] = last[7, 1] = np.nan
    assert np.allclose(errors_of(scoring_of(network), rows, 5), expected, rtol=1e-4, atol=1e-5, equal_nan=True)
    assert np.allclose(errors_of(scoring_of(network), rows, 5, online=True), last, rtol=1e-4, atol=1e-5, equal_nan=True)
    spread = np.array([2.0, 0.5])
    assert scores_of(expected, spread)[7] == pytest.approx(expected[7, 0] / 2)
    assert scores_of(expected, spread)[3] == pytest.approx((expected[3] / spread).mean())


def test_baselines_against_loops() -> None:
    values = wave(60)
    values[20, 0] = np.nan
    rows = rows_of((values - np.nanmean(values)) / np.nanstd(values))
    found = RollingZScore(6).errors(rows)
    own = rows.values[30:36, 0]
    assert found[36, 0] == pytest.approx(((rows.values[36, 0] - own.mean()) / own.std()) ** 2)
    assert found[0, 0] == pytest.approx(rows.values[0, 0] ** 2)
    assert np.isnan(found[20, 0])
    seasonal = SeasonalResidual.fit(rows, 24.0)
    same = [row for row in range(60) if row % 24 == 5]
    assert seasonal.profile[5, 0] == pytest.approx(rows.values[same, 0].mean())
    assert seasonal.errors(rows)[29, 0] == pytest.approx((rows.values[29, 0] - seasonal.profile[5, 0]) ** 2)


def test_the_threshold_is_calibrated_on_rows_held_out() -> None:
    values = np.random.default_rng(0).normal(size=(4000, 1))
    detector = AnomalyDetector(model="seasonal-residual", false_alarms=0.05).fit(values[:2000])
    assert detector.calibrated_ == 300
    scores = np.sort(detector.detect(values[1700:2000]).score)
    assert detector.threshold_ == scores[int(np.ceil(301 * 0.95)) - 1]
    share = detector.predict(values[2000:])["flagged"].mean()
    assert 0.02 < share < 0.09
    few = AnomalyDetector(model="z-score", window=5).fit(values[:200])
    assert any("too few for false_alarms of 0.01: that needs 99" in note for note in few.notes_)


@pytest.mark.parametrize("model", ["gru-autoencoder", "lstm-vae", *BASELINES])
def test_nothing_but_training_rows_reaches_what_is_learned(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = wave()
    first, held = values[:336], values[336:]

    def fitted(later: np.ndarray) -> AnomalyDetector:
        return small(model).fit(first, valid=later)

    def learned(detector: AnomalyDetector) -> list[np.ndarray]:
        arrays = [*detector.scaler_.to_arrays().values(), detector.spread_]
        if isinstance(detector.model_, Autoencoder):
            arrays += [tensor.numpy() for tensor in detector.model_.state_dict().values()]
        return [*arrays, getattr(detector.model_, "profile", np.zeros(1))]

    whole = fitted(held)
    # The rows that calibrate, the second half, may change the threshold alone; the last epoch is the best in any case.
    moved = held.copy()
    moved[72:] *= -3
    other = fitted(moved)
    assert all(np.array_equal(a, b) for a, b in zip(learned(whole), learned(other), strict=True))
    assert whole.threshold_ != other.threshold_
    of = learning_module.Standardizer.fit

    def leaky(self: Any, panel: Panel, rows: np.ndarray) -> Any:
        return of(self, Panel.from_numpy(np.concatenate([panel.values, moved])), np.ones(len(panel) + len(moved), bool))

    monkeypatch.setattr(learning_module.Standardizer, "fit", leaky)
    assert not all(np.array_equal(a, b) for a, b in zip(learned(whole), learned(fitted(held)), strict=True))


def test_online_scores_read_nothing_later() -> None:
    values = wave(200)
    detector = small(online=True).fit(wave())
    changed = values.copy()
    changed[150:] += 5
    before, after = detector.detect(values).score, detector.detect(changed).score
    assert np.array_equal(before[:150], after[:150], equal_nan=True)
    assert not np.allclose(before[150:], after[150:])
    assert np.isnan(before[:11]).all()
    assert np.isfinite(before[11:]).all()
    detector.online = False
    assert not np.allclose(detector.detect(values).score[:150], detector.detect(changed).score[:150])


@pytest.mark.parametrize("model", ["gru-autoencoder", "lstm-vae", *BASELINES])
def test_folders_and_frames(model: str, tmp_path: Path) -> None:
    times = pd.date_range("2024-03-01", periods=400, freq="h")
    frame = pd.DataFrame({"when": times, "load": wave(400)[:, 0], "wind": wave(400, 1)[:, 0]})
    frame.loc[380, "load"] = 9.0
    frame.loc[390, "wind"] = np.nan
    detector = small(model).fit(frame[:360], time="when")
    found = detector.predict(frame[360:])
    assert list(found.columns) == ["when", "score", "threshold", "flagged", "column"]
    assert found["flagged"].iloc[20]
    assert found["column"].iloc[20] == "load"
    assert len(found) == 40
    detector.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert again.predict(frame[360:]).equals(found)
    sparse = again.predict(frame[360::2])
    assert len(sparse) == 39
    assert sparse["score"].isna().sum() >= 19  # rows that a repair put in are not judged
    with pytest.raises(DataError, match="grid"):
        again.predict(frame[360:].assign(when=frame["when"] + pd.Timedelta("7min")))


def test_several_series_are_scaled_each_by_its_own_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "shop": ["a"] * 300 + ["b"] * 300,
            "t": list(pd.date_range("2024-01-01", periods=300, freq="h")) * 2,
            "y": np.concatenate([wave(300)[:, 0], 1000 + 50 * wave(300, 1)[:, 0]]),
        }
    )
    detector = small("seasonal-residual").fit(frame, time="t", id="shop")
    assert detector.scaler_.ids == ("a", "b")
    detector.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    odd = frame.iloc[250:300].assign(y=lambda rows: rows["y"] + 5)
    assert again.predict(odd)["flagged"].all()
    assert set(again.predict(odd)["shop"]) == {"a"}
    with pytest.raises(DataError, match="series 'c' was not among those of the fit"):
        again.predict(odd.assign(shop="c"))


def test_the_same_seed_gives_the_same_bytes_and_a_stopped_fit_goes_on(tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": "gru-vae", "epochs": 3, "input_dropout": 0.1, "dropout": 0.1}
    whole, twin = (small(**options).fit(wave(), directory=tmp_path / name) for name in ("a", "b"))
    for name, detector in (("one", whole), ("two", twin)):
        detector.save(tmp_path / name)
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    def stop(event: Any) -> None:
        if isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = small(**options)
    with pytest.raises(Interrupted):
        cut.fit(wave(), directory=tmp_path / "cut", on_event=stop)
    cut.fit(wave(), directory=tmp_path / "cut", resume=True)
    assert cut.threshold_ == whole.threshold_
    assert all(torch.equal(a, b) for a, b in zip(whole.model_.state_dict().values(), cut.model_.state_dict().values()))
    assert small(**options, seed=1).fit(wave()).threshold_ != whole.threshold_


def test_a_comparison_writes_every_row(tmp_path: Path) -> None:
    values = np.concatenate([wave(600), np.zeros((600, 1))], axis=1)
    values[500:510, 0] += 3
    values[500:510, 1] = 1
    panel = Panel.from_numpy(values, ["load", "label"])
    models = {"z-score": small("z-score"), "seasonal-residual": small("seasonal-residual"), "net": small()}
    run = compare_detectors(panel, models, labels="label", baseline="z-score", directory=tmp_path / "run")
    lines = (tmp_path / "run" / "anomalies.csv").read_text().splitlines()
    assert lines[0] == "step,score,threshold,flagged,label,split"
    assert len(lines) == 601
    assert [line.rsplit(",", 1)[1] for line in (lines[1], lines[301], lines[420], lines[421])] == [
        *("train", "valid", "valid", "test"),
    ]
    test = run.metrics["models"]["seasonal-residual"]["test"]
    assert test["auprc"] > 0.9
    assert test["events_found"] == 1
    assert test["delay"] == 0
    assert run.metrics["target"] == "load"
    assert "label" not in run.best.columns_
    details = json.loads((tmp_path / "run" / "details.json").read_text())["models"]
    assert [name for name in details if "anomalies" in details[name]] == [run.metrics["best"]]


def test_planted_anomalies() -> None:
    values = wave(600)
    changed, kind = plant_anomalies(values, length=10, count=10, seed=4)
    assert np.array_equal(changed[kind < 0], values[kind < 0])
    starts = np.flatnonzero((kind >= 0) & (np.append(-1, kind[:-1]) < 0))
    assert [KINDS[kind[at]] for at in starts] == [*KINDS, *KINDS]
    flat = changed[kind == KINDS.index("flat")]
    assert len(np.unique(flat)) == 2
    assert np.array_equal(plant_anomalies(values, length=10, count=10, seed=4)[0], changed)
    assert not plant_anomalies(values[:20], length=10, count=3, seed=0)[1].max() >= 0
    with pytest.raises(SettingError, match="kinds: expected some of spike"):
        plant_anomalies(values, length=10, count=1, seed=0, kinds=["odd"])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: small(model="gru").fit(wave()), "model: expected one of rnn-autoencoder"),
        (lambda: small(window=400).fit(wave()), "rows for training: expected a stretch of 400 rows"),
        (lambda: small(window=100).fit(wave()), "expected a stretch of 100 rows without a gap"),
        (lambda: small().fit(wave(1)), "leave none to train on"),
        (lambda: small(window="1h").fit(wave()), "is a duration, but the data has no time column"),
        (lambda: small(fill="season", season=None).fit(wave()), "fill: to fill with the value a season before"),
        (lambda: small("z-score").fit(wave()).evaluate(wave(30)), "expected at least 60"),
        (lambda: small("z-score").predict(wave()), "not fitted yet"),
        (lambda: small("z-score").fit(wave(), columns=["b"]), "columns: no column of numbers is named 'b'"),
    ],
)
def test_what_is_refused(call: Any, said: str) -> None:
    with pytest.raises(SeqloomError, match=said):
        call()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda header: header.update(threshold=-1.0), "threshold"),
        (lambda header: header.update(window=13), "window"),
        (lambda header: header.update(columns=["a", "b"]), "spread|columns|scaler"),
        (lambda header: header["parameters"].update(code=3), "code"),
    ],
)
def test_a_damaged_folder_is_refused(change: Any, said: str, tmp_path: Path) -> None:
    from tests.attack.model_folders import blob_of, write_folder

    from seqloom_runtime.model_folder import read_model

    small().fit(wave()).save(tmp_path / "model")
    header, arrays = read_model(tmp_path / "model")
    body = {name: value for name, value in header.items() if name not in ("format", "schema", "files", "checksum")}
    change(body)
    (tmp_path / "bad").mkdir()
    write_folder(tmp_path / "bad", body, blob_of(arrays, None))
    with pytest.raises(FormatError, match=said):
        seqloom.load(tmp_path / "bad")
