"""Bodies of pictures: the networks of `seqloom.nn.images` without their last layer, which is the task's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward import MODELS

from ...nn import images
from .body import Seed, WholeBody
from .registry import body_kind, register_body, register_models
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


# Of each: what builds it, what it is, what it is for.
_NETWORKS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "lenet": (_lenet, "LeNet-5: two convolutions and two dense layers", "small pictures such as digits"),
    "alexnet": (
        _alexnet, "AlexNet: five convolutions and two wide dense layers", "pictures of 67 pixels and more",
    ),
    **{f"vgg-{depth}": (_vgg(depth), f"VGG-{depth} with batch norm", "many pictures") for depth in (11, 16, 19)},
    "googlenet": (_googlenet, "GoogLeNet: nine inception modules with batch norm", "many pictures, few weights"),
    "resnet-18": (_resnet(18), "a residual network of 18 layers", "most pictures"),
    **{
        f"resnet-{depth}": (_resnet(depth), f"a residual network of {depth} layers", "many pictures")
        for depth in (34, 50, 101, 152)
    },
}  # fmt: skip
for _name, (_, _summary, _use) in _NETWORKS.items():
    register_body(body_kind(_name, _summary, _use, PictureBody))
register_models("pictures", MODELS["pictures"])
