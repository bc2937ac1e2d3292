"""Colours: contrast on both backgrounds, apart for colour-blind readers, one style per model."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seqloom.report.style import DARK, LIGHT, model_styles, with_light_colours

# Simulation matrices at full severity (Machado, Oliveira & Fernandes 2009), for linear RGB.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    s = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    lights = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other))
    return lights[1] / lights[0]


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(colours: dict[str, str]) -> None:
    for name in ("ink", "muted", "accent"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
        assert contrast(colours[name], colours["panel"]) >= 4.5, name
    for name in ("naive", *(f"c{i}" for i in range(1, 9))):
        assert contrast(colours[name], colours["paper"]) >= 3, name


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_hues_stay_apart(colours: dict[str, str], kind: str) -> None:
    names = ["naive", *(f"c{i}" for i in range(1, 9))]
    seen = {n: lab(np.array(BLINDNESS[kind]) @ linear(colours[n])) for n in names}
    for a, b in itertools.combinations(names, 2):
        least = 10 if {a, b} <= {"c1", "c2", "c3", "c4", "c5", "c6"} else 8
        assert np.linalg.norm(seen[a] - seen[b]) > (least if "naive" not in (a, b) else 7.5), (a, b)


def test_every_model_has_its_own_style() -> None:
    baselines = ["naive", "seasonal", "drift", "mean", "damped-persistence", "ets", "theta", "stl-ets"]
    models = {n: {"kind": "baseline"} for n in baselines} | {f"net{i}": {"kind": "network"} for i in range(12)}
    styles = model_styles({"models": models})
    assert len({(s.colour, s.dash) for s in styles.values()}) == len(models)
    assert list(styles)[:8] == baselines
    assert all(styles[n].dash[1] > 0 for n in baselines), "baselines are dashed"
    assert styles["net0"].dash == (1, 0)


def test_light_colours_leave_no_variable() -> None:
    spec = {
        "range": [f"var(--{name})" for name in LIGHT],
        "mark": {"color": "var(--ink)"},
        "title": {"color": "var(--c1)"},
    }
    assert "var(" not in str(with_light_colours(spec))


def test_light_colours_leave_a_readers_text() -> None:
    name = "var(--c1)"
    spec = {
        "datasets": {"rows": [{"s": name}]},
        "params": [{"name": "s", "value": name}],
        "title": {"text": name},
        "encoding": {"color": {"scale": {"domain": [name, "var(--none)"]}}, "y": {"axis": {"title": "var(--none)"}}},
    }
    assert with_light_colours(spec) == spec
    assert set(LIGHT) == set(DARK)
