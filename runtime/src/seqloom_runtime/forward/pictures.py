"""Bodies of pictures: the networks of `seqloom.nn.images` without their last layer, which is the task's own."""

from __future__ import annotations

from collections.abc import Callable

from .image_sizes import scaled
from .picture_body import PictureBody
from .registry import BodyKind, register_body
from .spec import BodySpec

__all__ = ["PICTURES"]


def _units(count: int) -> Callable[[BodySpec], int]:
    return lambda spec: scaled(count, spec.width_multiplier)


def _vgg_units(spec: BodySpec) -> int:
    return scaled(512 if min(spec.picture) < 64 else 4096, spec.width_multiplier)


def _inception_units(spec: BodySpec) -> int:
    return sum(scaled(count, spec.width_multiplier) for count in (384, 384, 128, 128))


def _block_units(spec: BodySpec) -> int:
    return 4 * scaled(512, spec.width_multiplier)


_PLAIN, _DROPPED = ("picture", "width_multiplier"), ("picture", "width_multiplier", "dropout")
# Of each: F, its options, its activations.
_NETWORKS: dict[str, tuple[Callable[[BodySpec], int], tuple[str, ...], tuple[str, ...]]] = {
    "lenet": (_units(84), (*_PLAIN, "activation"), ("tanh", "relu", "sigmoid")),
    "alexnet": (_units(4096), _DROPPED, ("relu",)),
    **{f"vgg-{depth}": (_vgg_units, _DROPPED, ("relu",)) for depth in (11, 16, 19)},
    "googlenet": (_inception_units, _DROPPED, ("relu",)),
    **{f"resnet-{depth}": (_units(512), _PLAIN, ("relu",)) for depth in (18, 34)},
    **{f"resnet-{depth}": (_block_units, _PLAIN, ("relu",)) for depth in (50, 101, 152)},
}

PICTURES = tuple(_NETWORKS)
"""Their names."""

for _name, (_width, _options, _activations) in _NETWORKS.items():
    register_body(BodyKind(_name, PictureBody, options=_options, width=_width, activations=_activations))
