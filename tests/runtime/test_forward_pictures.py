"""Layers and bodies of pictures and films of the runtime beside those of torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from forward_twins import arrays_of, draw, engine, mask_of, randomised, same
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqloom.nn import ConvGRU, ConvLSTM, FrameEncoder
from seqloom.nn.images.classic import _response_norm
from seqloom.tasks.networks import BodySpec, build_body, names_for
from seqloom.tasks.networks import films as _films
from seqloom.tasks.networks import pictures as _pictures
from seqloom.tasks.networks.registry import BODIES
from seqloom_runtime import forward
from seqloom_runtime.errors import FormatError, SettingError
from seqloom_runtime.forward import image_layers
from seqloom_runtime.forward.arrays import Arrays
from seqloom_runtime.forward.conv_recurrent import ConvRecurrent
from seqloom_runtime.forward.film_body import FrameEncoder as Encoder

assert _films
assert _pictures
PICTURES = [name for name, kind in BODIES.items() if "picture" in kind.options and not name.startswith("frame-")]
SIZES = {"alexnet": (67, 70), "vgg-11": (32, 40)}


@settings(max_examples=20)
@given(
    sides=st.tuples(st.integers(5, 17), st.integers(5, 17)),
    size=st.integers(1, 5),
    stride=st.integers(1, 3),
    groups=st.sampled_from([1, 2]),
    seed=st.integers(0, 10**6),
)
def test_convolutions(sides: tuple[int, int], size: int, stride: int, groups: int, seed: int) -> None:
    padding, inputs, outputs = size // 2, 2 * groups, 3 * groups
    layer: Any = randomised(nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups), seed)
    x = draw(3, inputs, *sides, seed=seed)
    ours = image_layers.Conv2d(
        Arrays(arrays_of(layer)), inputs, outputs, size, stride=stride, padding=padding, groups=groups
    )
    for native in (True, False):
        with engine(native):
            same(ours(x), layer, lambda m, x: m(x), x)
    assert ours(x).shape[2:] == ours.places(*sides)


@settings(max_examples=20)
@given(
    sides=st.tuples(st.integers(4, 13), st.integers(4, 13)),
    how=st.sampled_from([(2, 2, 0, False), (3, 2, 0, False), (3, 2, 0, True), (3, 1, 1, False), (3, 2, 1, False)]),
)
def test_pools(sides: tuple[int, int], how: tuple[int, int, int, bool]) -> None:
    size, stride, padding, up = how
    x, ours = draw(2, 3, *sides), image_layers.MaxPool2d(size, stride, padding, rounded_up=up)
    same(ours(x), nn.MaxPool2d(size, stride, padding, ceil_mode=up), lambda m, x: m(x), x)
    assert ours(x).shape[2:] == ours.places(*sides)
    same(image_layers.AveragePool2d(2)(x), nn.AvgPool2d(2), lambda m, x: m(x), x)


def test_norms() -> None:
    x = draw(2, 7, 4, 3)
    same(image_layers.response_norm(x), _response_norm(), lambda m, x: m(x), x)
    norm: Any = randomised(nn.BatchNorm2d(7), 3)
    norm.num_batches_tracked = None
    same(image_layers.BatchNorm2d(Arrays(arrays_of(norm)), 7)(x), norm, lambda m, x: m(x), x)
    with pytest.raises(FormatError, match="below 0"):
        image_layers.BatchNorm2d(Arrays({**arrays_of(norm), "running_var": np.full(7, -1, np.float32)}), 7)


@pytest.mark.parametrize("kind", PICTURES)
def test_networks_of_pictures(kind: str) -> None:
    deep = kind in ("resnet-101", "resnet-152")
    for size in [(33, 32)] if deep else [SIZES.get(kind, (33, 32)), *([(70, 66)] if kind != "alexnet" else [(33, 30)])]:
        spec = BodySpec(kind, 2, picture=size, width_multiplier=0.06)
        module: Any = randomised(build_body(spec, 1), 5, 1.4)
        body = forward.build_body(spec.to_json(), arrays_of(module, "b."), "b.")
        x = draw(2, size[0] * size[1], 2)
        same(body.summary(x), module, lambda m, x: m.summary(x), x)
        assert body.output_size == module.output_size


def test_pictures_have_no_mask() -> None:
    spec = BodySpec("lenet", 1, picture=(12, 12))
    body = forward.build_body(spec, arrays_of(build_body(spec, 1)))
    with pytest.raises(SettingError, match="without a mask"):
        body.summary(draw(2, 144, 1), np.ones((2, 144), dtype=bool))


@pytest.mark.parametrize("kind", [f"frame-{cell}" for cell in ("rnn", "gru", "lstm")])
def test_films(kind: str) -> None:
    spec = BodySpec(kind, 9 * 7 * 2, units=5, picture=(9, 7), bidirectional=True, pooling="mean")
    module: Any = randomised(build_body(spec, 1), 5)
    body = forward.build_body(spec.to_json(), arrays_of(module))
    x, mask = draw(3, 4, 126), mask_of(3, 4, "front")
    same(body.steps(x, mask), module, lambda m, *given: m.steps(*given), x, mask)
    same(body.summary(x, mask), module, lambda m, *given: m.summary(*given), x, mask)


def test_maps_of_frames() -> None:
    encoder: Any = randomised(FrameEncoder(2, (3, 4), pooled=False), 2)
    x = draw(2, 3, 11, 8, 2)
    same(Encoder(Arrays(arrays_of(encoder)), 2, (3, 4), pooled=False)(x), encoder, lambda m, x: m(x), x)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("masked", ["none", "any"])
@pytest.mark.parametrize("native", [True, False])
def test_recurrent_convolutions(kind: str, masked: str, native: bool) -> None:
    module: Any = randomised({"gru": ConvGRU, "lstm": ConvLSTM}[kind](2, 4, 2, kernel_size=3), 1)
    x, mask = draw(3, 5, 6, 5, 2), mask_of(3, 5, masked)
    with engine(native):
        ours = ConvRecurrent(kind, Arrays(arrays_of(module)), 2, 4, 2)
        same(ours(x, mask=mask), module, lambda m, x, mask: m(x, mask=mask), x, mask)
        _, state = ours(x[:, :2])
        same(ours(x[:, 2:], state), module, lambda m, a, b: m(b, m(a)[1]), x[:, :2], x[:, 2:])
    with pytest.raises(SettingError, match="state"):
        ours(x, np.zeros((1, 2), np.float32))


def test_a_picture_does_not_hang_on_those_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = BodySpec("resnet-18", 1, picture=(16, 16), width_multiplier=0.1)
    body = forward.build_body(spec, arrays_of(randomised(build_body(spec, 1), 3)))
    x = draw(9, 256, 1)
    together = body.summary(x)
    for first, last in pairwise([0, 1, 4, 9]):
        assert body.summary(x[first:last]).tobytes() == together[first:last].tobytes()
    monkeypatch.setattr(image_layers, "_AT_ONCE", 500)
    assert body.summary(x).tobytes() == together.tobytes()


def test_a_planted_mistake_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_layers, "_EPSILON", 1e-2)
    with pytest.raises(AssertionError):
        test_networks_of_pictures("resnet-18")


def test_every_model_has_a_forward_pass() -> None:
    assert {*names_for("pictures")} <= set(forward.MODELS["pictures"])
    assert {*names_for("films")} <= set(forward.MODELS["films"])
