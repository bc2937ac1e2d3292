"""A text classifier's flat parameters, turned into what each part takes; those that are None come from the model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import SettingError, shown

from ...training import FitSettings
from ..cell_parameters import cell_options
from ..layer_fields import layers_of
from ..memory import count_weights, refuse_too_large
from ..networks import names_for
from ..parameters import TRAINING
from ..training_parameters import fit_settings
from .networks import NETWORKS, TextNetworkSpec, build_text_network

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = [
    "BAGS",
    "MODELS",
    "OWN",
    "check_memory",
    "check_settings",
    "network_spec",
    "resolved",
    "resolved_batch",
    "training_settings",
]

BAGS = ("bow", "bow-forest")
MODELS = names_for("text", before=("majority", *BAGS))

# Training steps that a text classifier takes by default, and the epochs between which they are spread.
_STEPS, _FEWEST, _MOST = 4_000, 5, 30
_MANY = 10_000  # texts; fewer are trained in batches of 16, so that an epoch has steps enough
_RECURRENT = {"embedding_size": 64, "units": 64, "dropout": 0.4, "embedding_dropout": 0.2, "punctuation": True}
_CONV = {"embedding_size": 64, "units": 64, "dropout": 0.4, "embedding_dropout": 0.1, "pool": "max"}

OWN: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "majority": {},
        "bow": {"max_words": 20_000},
        "bow-forest": {"max_words": 6_000},
        "bow-dense": {"embedding_size": 16, "hidden": 16, "dropout": 0.5},
        "pooled": {"embedding_size": 30, "hidden": 20, "dropout": 0.3, "learning_rate": 2e-3},
        "flat": {"embedding_size": 8, "hidden": 16, "dropout": 0.5},
        "conv": {**_CONV, "kernel_size": 7},
        "inception": _CONV,
        "conv-lstm": {**_CONV, "kernel_size": 5},
        "rnn": {**_RECURRENT, "pool": "mean"},
        "gru": {**_RECURRENT, "pool": "max"},
        "lstm": _RECURRENT,
        "bigru": _RECURRENT,
        "bilstm": _RECURRENT,
        "han": {**_RECURRENT, "units": 50, "punctuation": False},
    }
)
"""What each model takes where a parameter is None and the common value of `_COMMON` doesn't suit it."""

_COMMON = {
    "max_words": 20_000,
    "embedding_size": 64,
    "embedding_dropout": 0.0,
    "punctuation": False,
    "units": 64,
    "kernel_size": 7,
    "pool": "last",
    "hidden": 0,
    "dropout": 0.0,
    "learning_rate": 1e-3,
}


def resolved(classifier: TextClassifier, name: str) -> Any:
    """A parameter's value, or where it is None the model's own."""
    value = getattr(classifier, name)
    return OWN.get(classifier.model, {}).get(name, _COMMON[name]) if value is None else value


def check_settings(classifier: TextClassifier) -> None:
    """Raise SettingError for parameters that don't go together."""
    model = classifier.model
    weight = classifier.class_weight
    if weight is not None and weight != "balanced" and not isinstance(weight, Mapping):
        raise SettingError(f"class_weight: expected None, 'balanced' or a weight for each label, got {shown(weight)}.")
    if classifier.embeddings is not None and model not in NETWORKS:
        raise SettingError(f"embeddings: {model!r} has no word vectors; leave it out or choose a network.")
    if classifier.freeze and classifier.embeddings is None:
        raise SettingError("freeze: only pretrained embeddings can be kept as they are; give them with embeddings.")
    if model in NETWORKS:
        spec = network_spec(classifier, 2, 2)
        spec.check()
        check_memory(spec, classifier.optimizer)
        training_settings(classifier, 1)


def check_memory(spec: TextNetworkSpec, optimizer: str, batch_size: int = 0, words: int = 1) -> None:
    """Raise SettingError where training needs more memory than there is; words: of the shortest text."""
    wide = spec.embedding_size > spec.units or spec.name in ("bow-dense", "pooled", "flat")
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_text_network(spec, 0)),
        optimizer,
        grows_with="max_length" if spec.name == "flat" else "embedding_size" if wide else "units",
        batch_size=batch_size,
        row=words * spec.embedding_size,
    )


def network_spec(classifier: TextClassifier, words: int, classes: int, size: int | None = None) -> TextNetworkSpec:
    """The network's shape; size: numbers of each word, where pretrained vectors say it."""
    return TextNetworkSpec(
        name=classifier.model,
        words=words,
        classes=classes,
        length=int(classifier.max_length),
        embedding_size=int(resolved(classifier, "embedding_size")) if size is None else size,
        embedding_dropout=float(resolved(classifier, "embedding_dropout")),
        trainable=not classifier.freeze,
        **layers_of(_layers(classifier), "text", "rnn, gru, lstm, bigru or bilstm"),
        kernel_size=int(resolved(classifier, "kernel_size")),
        pool=resolved(classifier, "pool"),
        hidden=int(resolved(classifier, "hidden")),
        dropout=float(resolved(classifier, "dropout")),
        input_dropout=float(classifier.input_dropout),
        recurrent_dropout=float(classifier.recurrent_dropout),
        between_dropout=float(classifier.between_dropout),
        **cell_options(classifier),
    )


def _layers(classifier: TextClassifier) -> SimpleNamespace:
    """What says the layers of a classifier's network, the model's own units where none are given."""
    own = {name: getattr(classifier, name) for name in ("model", "layers", "activation")}
    return SimpleNamespace(units=resolved(classifier, "units"), **own)


def training_settings(classifier: TextClassifier, texts: int) -> FitSettings:
    """The training loop's settings; the weights of the epoch with the lowest validation log loss are kept.

    Where no epochs are given they make about 4,000 steps: 5 epochs at least, 30 at most.
    """
    values = {name: getattr(classifier, name) for name in TRAINING}
    values |= {"learning_rate": resolved(classifier, "learning_rate"), "batch_size": resolved_batch(classifier, texts)}
    if classifier.epochs is None:
        steps = classifier.steps_per_epoch or -(-texts // values["batch_size"])
        values["epochs"] = min(max(-(-_STEPS // int(steps)), _FEWEST), _MOST)
    return fit_settings(SimpleNamespace(**values), texts)


def resolved_batch(classifier: TextClassifier, texts: int) -> int:
    """Texts in a batch: where none is given 16 of fewer than 10,000 training texts, else 32."""
    return int(classifier.batch_size or (16 if texts < _MANY else 32))
