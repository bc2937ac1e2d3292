"""`PictureBody`: LeNet-5, AlexNet, VGG, GoogLeNet and ResNet without their last layer, which is the task's own.

The steps of a picture are its pixels, row by row. Sources and options stand beside the torch modules
(`seqloom.nn.images`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import SettingError
from .activations import activation_of, relu
from .arrays import Arrays
from .bodies import WholeBody
from .image_layers import (
    AveragePool2d,
    BatchNorm2d,
    Conv2d,
    Layers,
    MaxPool2d,
    flat,
    mean_of_places,
    response_norm,
)
from .image_sizes import scaled
from .linear import Linear
from .scan import checked
from .spec import BodySpec

__all__ = ["PictureBody"]

_SMALL, _SMALL_ALEXNET = 64, 67  # pixels below which a network has other first layers
_VGG = {11: (1, 1, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_RESNET = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
}
# Table 1 of Szegedy et al., arXiv 1409.4842; None is a pool.
_INCEPTIONS = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None,
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128), None,
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip


class PictureBody(WholeBody):
    """A network of pictures: features whose outputs have places, then a classifier without its last layer."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        own = arrays.at("network.")
        self.features, classifier = Layers(own.at("features.")), Layers(own.at("classifier."))
        _NETWORKS[spec.kind.partition("-")[0]](spec, self.features, classifier)
        self.classifier = classifier

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, H·W, C) → (B, F); a mask is refused, as every pixel counts."""
        if mask is not None:
            raise SettingError(f"The body {self.spec.kind!r} takes whole pictures, without a mask.")
        height, width = self.spec.picture
        x = checked("x", x, (None, height * width, self.spec.inputs))
        pixels = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(len(x), -1, height, width)
        return self.classifier(self.features(pixels))


def _places(spec: BodySpec, features: Layers) -> tuple[int, int]:
    """The height and width of the maps; SettingError for pictures too small to leave any."""
    found = features.places(spec.picture[0], spec.picture[1])
    if min(found) < 1:
        raise SettingError(f"size: {spec.kind} needs larger pictures than {spec.picture[0]} by {spec.picture[1]}.")
    return found


def _lenet(spec: BodySpec, features: Layers, classifier: Layers) -> None:
    act, side = activation_of(spec.activation or "tanh"), min(spec.picture)
    one, two, dense, units = (scaled(n, spec.width_multiplier) for n in (6, 16, 120, 84))
    features.add(Conv2d, spec.inputs, one, 5, padding=2 if side < 32 else 0).plain(act, AveragePool2d(2))
    features.add(Conv2d, one, two, 5).plain(act, AveragePool2d(2))
    tall, wide = _places(spec, features)
    classifier.plain(flat).add(Linear, two * tall * wide, dense).plain(act).add(Linear, dense, units).plain(act)


def _alexnet(spec: BodySpec, features: Layers, classifier: Layers) -> None:
    a, b, c, d, e = (scaled(n, spec.width_multiplier) for n in (96, 256, 384, 384, 256))
    small = min(spec.picture) < _SMALL_ALEXNET
    how = {"padding": 2} if small else {"stride": 4}
    features.add(Conv2d, spec.inputs, a, 5 if small else 11, **how).plain(relu, response_norm, MaxPool2d(3, 2))
    features.add(Conv2d, a, b, 5, padding=2).plain(relu, response_norm, MaxPool2d(3, 2))
    features.add(Conv2d, b, c, 3, padding=1).plain(relu)
    features.add(Conv2d, c, d, 3, padding=1).plain(relu)
    features.add(Conv2d, d, e, 3, padding=1).plain(relu, MaxPool2d(3, 2))
    tall, wide = _places(spec, features)
    _hidden(classifier, e * tall * wide, spec.output_size)


def _vgg(spec: BodySpec, features: Layers, classifier: Layers) -> None:
    inputs = spec.inputs
    for count, filters in zip(_VGG[int(spec.kind.removeprefix("vgg-"))], (64, 128, 256, 512, 512)):
        outputs = scaled(filters, spec.width_multiplier)
        for _ in range(count):
            _unit(features, inputs, outputs, 3, padding=1)
            inputs = outputs
        features.plain(MaxPool2d(2, 2))
    tall, wide = _places(spec, features)
    _hidden(classifier, inputs * tall * wide, spec.output_size)


def _googlenet(spec: BodySpec, features: Layers, classifier: Layers) -> None:
    small, width = min(spec.picture) < _SMALL, spec.width_multiplier
    a, b = scaled(64, width), scaled(192, width)
    stem = {"size": 3, "padding": 1} if small else {"size": 7, "stride": 2, "padding": 3}

    def pool() -> None:
        features.plain(MaxPool2d(3, 2, rounded_up=True))

    _unit(features, spec.inputs, a, **stem)
    if not small:
        pool()
    _unit(features, a, a, 1)
    _unit(features, a, b, 3, padding=1)
    if not small:
        pool()
    inputs = b
    for row in _INCEPTIONS:
        if row is None:
            pool()
            continue
        sizes = [scaled(n, width) for n in row]
        features.add(_Inception, inputs, sizes)
        inputs = sizes[0] + sizes[2] + sizes[4] + sizes[5]
    _places(spec, features)
    classifier.plain(mean_of_places, None, None)


def _resnet(spec: BodySpec, features: Layers, classifier: Layers) -> None:
    bottleneck, counts = _RESNET[int(spec.kind.removeprefix("resnet-"))]
    inputs = scaled(64, spec.width_multiplier)
    if min(spec.picture) < _SMALL:
        _unit(features, spec.inputs, inputs, 3, padding=1)
    else:
        _unit(features, spec.inputs, inputs, 7, stride=2, padding=3)
        features.plain(MaxPool2d(3, 2, 1))
    for group, count in enumerate(counts):
        own = scaled(64 * 2**group, spec.width_multiplier)
        for number in range(count):
            # Each group but the first halves the picture, in its first block.
            features.add(_Residual, inputs, own, 2 if group and not number else 1, bottleneck)
            inputs = own * (4 if bottleneck else 1)
    _places(spec, features)
    classifier.plain(mean_of_places, None)


class _Inception:
    """Four branches on the same picture, their channels one after the other: 1×1; 1×1, 3×3; 1×1, 5×5; 3×3 pool, 1×1."""

    def __init__(self, arrays: Arrays, inputs: int, sizes: list[int]) -> None:
        one, before_three, three, before_five, five, pooled = sizes
        self.branches = [Layers(arrays.at(f"branches.{number}.")) for number in range(4)]
        a, b, c, d = self.branches
        _unit(a, inputs, one, 1)
        for branch, before, after, size in ((b, before_three, three, 3), (c, before_five, five, 5)):
            _unit(branch, inputs, before, 1)
            _unit(branch, before, after, size, padding=size // 2)
        _unit(d.plain(MaxPool2d(3, 1, 1)), inputs, pooled, 1)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([branch(x) for branch in self.branches], axis=1)


class _Residual:
    """y = ReLU(F(x) + s(x)): F two 3×3 convolutions, or with `bottleneck` 1×1, 3×3 and 1×1 of 4·channels."""

    def __init__(self, arrays: Arrays, inputs: int, channels: int, stride: int, bottleneck: bool) -> None:
        outputs = channels * (4 if bottleneck else 1)
        steps = (
            [(inputs, channels, 1, 1), (channels, channels, 3, stride), (channels, outputs, 1, 1)]
            if bottleneck
            else [(inputs, channels, 3, stride), (channels, channels, 3, 1)]
        )
        self.body, self.shortcut = Layers(arrays.at("body.")), None
        for number, (a, b, size, step) in enumerate(steps):
            self.body.add(Conv2d, a, b, size, stride=step, padding=size // 2, bias=False).add(BatchNorm2d, b)
            if number < len(steps) - 1:  # the last ReLU comes after the sum
                self.body.plain(relu)
        if stride != 1 or inputs != outputs:
            self.shortcut = Layers(arrays.at("shortcut."))
            self.shortcut.add(Conv2d, inputs, outputs, 1, stride=stride, bias=False).add(BatchNorm2d, outputs)

    def places(self, height: int, width: int) -> tuple[int, int]:
        """As F."""
        return self.body.places(height, width)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return relu(self.body(x) + (x if self.shortcut is None else self.shortcut(x)))


def _unit(layers: Layers, inputs: int, outputs: int, size: int, **how: Any) -> None:
    """A convolution without bias, batch norm and a ReLU."""
    layers.add(Conv2d, inputs, outputs, size, bias=False, **how).add(BatchNorm2d, outputs).plain(relu)


def _hidden(classifier: Layers, inputs: int, units: int) -> None:
    """The two hidden layers of AlexNet and VGG, with the dropout of training behind each."""
    classifier.plain(flat).add(Linear, inputs, units).plain(relu, None).add(Linear, units, units).plain(relu, None)


_NETWORKS: dict[str, Callable[[BodySpec, Layers, Layers], None]] = {
    "lenet": _lenet,
    "alexnet": _alexnet,
    "vgg": _vgg,
    "googlenet": _googlenet,
    "resnet": _resnet,
}
"""By the first part of a body's name."""
