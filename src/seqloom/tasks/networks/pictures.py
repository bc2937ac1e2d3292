"""Bodies of pictures: the networks of `seqloom.nn.images` without their last layer, which is the task's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from seqloom_runtime.errors import SettingError

from ...nn import images
from ...nn.images.layers import scaled
from .body import Seed, WholeBody
from .registry import BodyKind, Model, register_body, register_models
from .spec import BodySpec

__all__ = ["PictureBody"]


class PictureBody(WholeBody):
    """A network of pictures, whose steps are the pixels, row by row."""

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        size = (spec.picture[0], spec.picture[1])
        options: dict[str, Any] = {"channels": spec.inputs, "size": size, "width": spec.width_multiplier, "seed": seed}
        self.network = _NETWORKS[spec.kind][0](spec, options)
        for layer in self.network.modules():
            # How many batches there were is of no use to a mean of fixed momentum, and no weight.
            if isinstance(layer, nn.BatchNorm2d):
                layer.num_batches_tracked = None

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, H·W, C) → (B, F); a mask is refused, as every pixel counts."""
        if mask is not None:
            raise SettingError(f"The body {self.spec.kind!r} takes whole pictures, without a mask.")
        return self.network(x.transpose(1, 2).reshape(len(x), x.shape[2], *self.spec.picture))


def _lenet(spec: BodySpec, options: dict[str, Any]) -> images.ImageNetwork:
    return images.LeNet5(None, activation=spec.activation or "tanh", **options)


def _alexnet(spec: BodySpec, options: dict[str, Any]) -> images.ImageNetwork:
    return images.AlexNet(None, dropout=spec.dropout, **options)


def _vgg(depth: int) -> Callable[[BodySpec, dict[str, Any]], images.ImageNetwork]:
    # Without batch norm so many layers hardly learn from a random start.
    return lambda spec, options: images.VGG(depth, None, batch_norm=True, dropout=spec.dropout, **options)


def _googlenet(spec: BodySpec, options: dict[str, Any]) -> images.ImageNetwork:
    return images.GoogLeNet(None, batch_norm=True, dropout=spec.dropout, **options)


def _resnet(depth: int) -> Callable[[BodySpec, dict[str, Any]], images.ImageNetwork]:
    return lambda spec, options: images.ResNet(depth, None, **options)


def _units(count: int) -> Callable[[BodySpec], int]:
    return lambda spec: scaled(count, spec.width_multiplier)


def _vgg_units(spec: BodySpec) -> int:
    return scaled(512 if min(spec.picture) < 64 else 4096, spec.width_multiplier)


def _inception_units(spec: BodySpec) -> int:
    return sum(scaled(count, spec.width_multiplier) for count in (384, 384, 128, 128))


def _block_units(spec: BodySpec) -> int:
    return 4 * scaled(512, spec.width_multiplier)


_PLAIN, _DROPPED = ("picture", "width_multiplier"), ("picture", "width_multiplier", "dropout")
# Of each: what builds it, F, its options, its activations, what it is, what it is for.
_NETWORKS: dict[str, tuple[Callable[..., Any], Callable[[Any], int], tuple[str, ...], tuple[str, ...], str, str]] = {
    "lenet": (
        _lenet, _units(84), (*_PLAIN, "activation"), ("tanh", "relu", "sigmoid"),
        "LeNet-5: two convolutions and two dense layers", "small pictures such as digits",
    ),
    "alexnet": (
        _alexnet, _units(4096), _DROPPED, ("relu",),
        "AlexNet: five convolutions and two wide dense layers", "pictures of 67 pixels and more",
    ),
    "vgg-11": (_vgg(11), _vgg_units, _DROPPED, ("relu",), "VGG-11 with batch norm", "many pictures"),
    "vgg-16": (_vgg(16), _vgg_units, _DROPPED, ("relu",), "VGG-16 with batch norm", "many pictures"),
    "vgg-19": (_vgg(19), _vgg_units, _DROPPED, ("relu",), "VGG-19 with batch norm", "many pictures"),
    "googlenet": (
        _googlenet, _inception_units, _DROPPED, ("relu",),
        "GoogLeNet: nine inception modules with batch norm", "many pictures, few weights",
    ),
    "resnet-18": (_resnet(18), _units(512), _PLAIN, ("relu",), "a residual network of 18 layers", "most pictures"),
    "resnet-34": (_resnet(34), _units(512), _PLAIN, ("relu",), "a residual network of 34 layers", "many pictures"),
    "resnet-50": (_resnet(50), _block_units, _PLAIN, ("relu",), "a residual network of 50 layers", "many pictures"),
    "resnet-101": (_resnet(101), _block_units, _PLAIN, ("relu",), "a residual network of 101 layers", "many pictures"),
    "resnet-152": (_resnet(152), _block_units, _PLAIN, ("relu",), "a residual network of 152 layers", "many pictures"),
}  # fmt: skip

register_models("pictures", {name: Model(name) for name in ("rnn", "gru", "lstm", "tcn", "conv", "conv-gru")})
for _name, (_, _width, _options, _activations, _summary, _use) in _NETWORKS.items():
    register_body(
        BodyKind(_name, _summary, _use, PictureBody, options=_options, width=_width, activations=_activations),
        tasks=("pictures",),
    )
