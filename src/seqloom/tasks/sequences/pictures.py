"""`PictureClassifier`: a label for each picture, read as a picture, row by row or pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqloom_runtime.data.pictures import shown_picture
from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.sequences.reading import check_size, pictures_of

from ..constraints import OneOf
from ..memory import count_weights
from ..networks import BODIES, model_of, names_for
from ..networks.pictures import PictureBody
from ..parameters import constraints_of
from .augmenting import Augmentation, PictureBatches
from .base import ACTIVATION
from .classifier import SequenceClassifier
from .learning import network_spec
from .models import BASELINES
from .network import SequenceNetworkSpec, build_sequence_network
from .prepared import Examples, Scale, TrainingBatches

__all__ = ["PictureClassifier"]

# As large as every network needs, for the checks that come before there is data.
_USUAL = (32, 32)


@dataclass(kw_only=True, eq=False, repr=False)
class PictureClassifier(SequenceClassifier):
    """Tell which class a picture belongs to.

    Parameters
    ----------
    model: lenet, alexnet, vgg-11, vgg-16, vgg-19, googlenet, resnet-18, resnet-34, resnet-50, resnet-101 or resnet-152
        (`seqloom.nn.images`), which see the whole picture; a network of sequences, rnn, gru, lstm, tcn, conv or
        conv-gru; or the baseline majority.
    read: how a network of sequences reads a picture: its "rows", each one step of all its pixels, or its "pixels".
    width_multiplier: of the channels of the networks of pictures. dropout: of their dense layers too, where alexnet and
        the vggs were published with 0.5 and googlenet with 0.4. activation: of lenet too.
    shift, flip, crop, noise: augmentation of the training pictures, drawn anew in every epoch; off by default. Pixels
        that each is shifted by at most, whether half are mirrored, the share of each side that is cut off at most, and
        the standard deviation of the noise (where scaling is "standard", of the colours' own deviations).
    The other parameters are those of `SequenceClassifier`.

    Attributes after fit: `picture_` (height, width), and those of `SequenceClassifier`.

    >>> rng = np.random.default_rng(0)
    >>> bright = rng.random((60, 12, 12)).astype(np.float32) * 0.2
    >>> bright[:30, 2:5] += 1.0
    >>> bright[30:, :, 2:5] += 1.0
    >>> model = PictureClassifier(model="lenet", epochs=4, batch_size=8, learning_rate=0.01)
    >>> model = model.fit(bright, ["lying"] * 30 + ["standing"] * 30)
    >>> model.picture_, model.predict(bright[[0, 59]]).tolist()
    ((12, 12), ['lying', 'standing'])
    """

    _task: ClassVar[str] = "picture-classifier"
    _constraints = constraints_of(
        "PictureClassifier", model=OneOf(names_for("pictures", after=("majority",))), activation=ACTIVATION
    )

    read: str = "rows"
    width_multiplier: float = 1.0
    shift: int = 0
    flip: bool = False
    crop: float = 0.0
    noise: float = 0.0

    def check_pictures(self, height: int, width: int, colours: int) -> None:
        """Raise SettingError where the network can't read pictures of that size; nothing of its size is allocated."""
        if self.model not in BASELINES:
            spec = self._network_spec(colours, height * width, 2, (height, width))
            count_weights(lambda: build_sequence_network(spec, 0))

    def facts(self) -> dict[str, str]:
        """What the model reads, for `seqloom inspect`."""
        self._check_fitted()
        high, wide = self.picture_ or _USUAL
        colours = {1: " in grey", 3: " in colour"}.get(len(self.channels_), f" of {len(self.channels_)} colours")
        return {"pictures": f"{high} by {wide} pixels{colours}"}

    def _sequences(self, X: Any, what: str = "X") -> Sequences:
        """Pictures (N, H, W) or (N, H, W, C), or a list of (H, W) or (H, W, C), as their pixels one after the other."""
        sequences = pictures_of(X, what)
        known = getattr(self, "picture_", None)
        if known is not None and self.__sklearn_is_fitted__():
            check_size(X, sequences, known, what)
        return sequences

    def _network_spec(
        self, inputs: int, longest: int, outputs: int, picture: tuple[int, int] | None = None
    ) -> SequenceNetworkSpec:
        size = picture or _USUAL
        own: dict[str, Any] = {"task": "pictures"}
        if BODIES[model_of("pictures", self.model).body].build is PictureBody:
            own |= {"picture": size, "width_multiplier": float(self.width_multiplier), "pooling": "last"}
        elif self.read == "rows":
            own["joined"] = size[1]
        return network_spec(self, inputs, size[0] * size[1], outputs, False, **own)

    def _batches(self, train: Examples, scale: Scale, order: int, per_step: bool) -> TrainingBatches:
        augmentation = self._augmentation()
        if not augmentation.on:
            return super()._batches(train, scale, order, per_step)
        return PictureBatches(train, scale, int(self.batch_size), order, augmentation)

    def _told_apart(self) -> dict[str, Any]:
        return {"augmentation": self._augmentation().to_json()}

    def _augmentation(self) -> Augmentation:
        return Augmentation(int(self.shift), bool(self.flip), float(self.crop), float(self.noise))

    def _shown(self, sequences: Sequences, number: int) -> dict[str, Any]:
        assert sequences.picture is not None
        pixels = np.asarray(sequences[number]).reshape(*sequences.picture, sequences.width)
        if pixels.dtype != np.uint8:
            # Of any range: from its darkest to its brightest.
            low, high = float(pixels.min()), float(pixels.max())
            pixels = ((pixels - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)
        return {"picture": shown_picture(pixels if sequences.width in (1, 3) else pixels[:, :, :1])}
