"""The parameters that pictures alone have: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from .constraints import Boolean, Numeric, OneOf
from .parameter import Parameter

__all__ = ["PICTURE", "PICTURES"]

PICTURES = (
    Parameter(
        "read",
        OneOf(("rows", "pixels")),
        "rows",
        "How rnn, gru, lstm, tcn, conv and conv-gru read a picture: its rows or pixels, one after the other",
        "Models",
        source="Le et al. (2015), arXiv 1504.00941, section 4.2",
    ),
    Parameter(
        "width_multiplier",
        Numeric(0, 64, open_low=True),
        1.0,
        "Width multiplier of networks of pictures: by what the channels of every layer are multiplied",
        "Models",
        source="Howard et al. (2017), MobileNets, arXiv 1704.04861",
    ),
    Parameter(
        "shift",
        Numeric(0, 4096, whole=True),
        0,
        "Augmentation: shift training pictures by up to N pixels each way, their edges repeated",
        "Training",
        source="LeCun et al. (1998), section III.B",
    ),
    Parameter(
        "flip",
        Boolean(),
        False,
        "Augmentation: mirror half of the training pictures, left to right",
        "Training",
        source="Krizhevsky et al. (2012), section 4.1",
    ),
    Parameter(
        "crop",
        Numeric(0, 1, open_high=True),
        0.0,
        "Augmentation: largest share of each side that is cut off training pictures, the rest scaled back",
        "Training",
        source="Szegedy et al. (2014), arXiv 1409.4842, section 6",
    ),
    Parameter(
        "noise",
        Numeric(0, 100),
        0.0,
        "Augmentation: standard deviation of the noise that is added to training pictures, in the scaling's units",
        "Training",
        source="Bishop (1995), Training with noise is equivalent to Tikhonov regularization",
    ),
)
"""In the order of the glossary."""

PICTURE = "read width_multiplier shift flip crop noise"
"""Their names, in the order of `PictureClassifier`'s signature."""
