"""`receptive_field` and `output_length` of layers of pictures: what an output sees of rows and of columns.

A layer is described by two `Field`s, along the height and along the width; a layer of one's own joins in by the methods
`fields()`, which returns both, and `output_size(height, width)`.
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from seqloom.nn.images.layers import pair_of
from seqloom.nn.receptive_field import POINTWISE, Field, method_of
from seqloom_runtime.errors import SettingError

__all__ = ["fields_of", "output_length", "receptive_field", "side_by_side"]

Fields = tuple[Field, Field]

# Their output at a place depends on that place alone, in evaluation: a norm over the batch then has fixed numbers.
_POINTWISE = (*POINTWISE, nn.BatchNorm2d, nn.Dropout2d, nn.LocalResponseNorm)
_WHOLE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten)


def receptive_field(module: nn.Module) -> tuple[float, float]:
    """Return how many rows and columns of the picture one output sees, `math.inf` where it sees all of them.

    module: torch's 2-D convolutions and poolings, point-wise layers and batch norm (in evaluation), the blocks of
    `seqloom.nn.images`, and nn.Sequential of these. Raises SettingError for a layer that isn't known.

    >>> three, one = nn.Sequential(*(nn.Conv2d(1, 1, 3, bias=False) for _ in range(3))), nn.Conv2d(1, 1, 7, bias=False)
    >>> receptive_field(three), receptive_field(one)
    ((7, 7), (7, 7))
    >>> [sum(weight.numel() for weight in net.parameters()) for net in (three, one)]
    [27, 49]
    """
    high, wide = fields_of(module)
    return high.size, wide.size


def fields_of(module: nn.Module) -> Fields:
    """Return the `Field` along the height and along the width; raises as `receptive_field` does."""
    own = method_of(module, "fields")
    if own is not None:
        return own()
    if isinstance(module, nn.Sequential):
        high, wide = Field(), Field()
        for part in module:
            after = fields_of(part)
            high, wide = high.then(after[0]), wide.then(after[1])
        return high, wide
    if isinstance(module, _POINTWISE):
        return Field(), Field()
    if isinstance(module, _WHOLE):
        return Field(math.inf, math.inf), Field(math.inf, math.inf)
    if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        high, wide = (_window(module, axis) for axis in (0, 1))
        return Field(high[3], high[0] - high[3], high[1]), Field(wide[3], wide[0] - wide[3], wide[1])
    raise SettingError(
        f"the receptive field of {type(module).__name__} is not known: pass nn.Sequential of its layers, or give it a "
        "method fields() that returns two seqloom.nn.Field, along the height and along the width."
    )


def output_length(module: nn.Module, size: int | tuple[int, int]) -> tuple[int, int]:
    """Return the height and width of what `module` gives for pictures of `size`, 0 where they are too small.

    Covers what `receptive_field` covers but layers that look at the whole picture; raises SettingError for others.

    >>> output_length(nn.Sequential(nn.Conv2d(3, 96, 11, stride=4), nn.MaxPool2d(3, 2)), 227)
    (27, 27)
    """
    high, wide = pair_of("size", size, 0)
    own = method_of(module, "output_size")
    if own is not None:
        found = own(high, wide)
        return max(found[0], 0), max(found[1], 0)
    if isinstance(module, nn.Sequential):
        for part in module:
            high, wide = output_length(part, (high, wide))
        return high, wide
    if isinstance(module, _POINTWISE):
        return high, wide
    if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        return _outputs(module, 0, high), _outputs(module, 1, wide)
    raise SettingError(
        f"the size of what {type(module).__name__} gives is not known: pass nn.Sequential of the layers before it, or "
        "give it a method output_size(height, width)."
    )


def side_by_side(branches: Any) -> Fields:
    """The fields of layers that read the same picture, their outputs of one size."""
    high, wide = fields_of(branches[0])
    for branch in branches[1:]:
        other = fields_of(branch)
        high, wide = high.beside(other[0]), wide.beside(other[1])
    return high, wide


def _window(module: Any, axis: int) -> tuple[int, int, int, int]:
    """Pixels from the first tap to the last, stride, zeros on both sides together and in front, along an axis."""
    size, stride, dilation = (_one(getattr(module, name, 1), axis) for name in ("kernel_size", "stride", "dilation"))
    span = (size - 1) * dilation
    if module.padding == "same":
        return span, stride, span, span // 2
    zeros = 0 if module.padding == "valid" else _one(module.padding, axis)
    return span, stride, 2 * zeros, zeros


def _outputs(module: Any, axis: int, pixels: int) -> int:
    span, stride, zeros, before = _window(module, axis)
    left = pixels + zeros - span - 1
    if not getattr(module, "ceil_mode", False):
        return max(left // stride + 1, 0)
    count = max(-(-left // stride) + 1, 0)
    # The last window must begin on the picture or on the zeros in front of it.
    return count - 1 if count and (count - 1) * stride >= pixels + before else count


def _one(value: Any, axis: int) -> int:
    return int(value[axis] if isinstance(value, tuple) else value)
