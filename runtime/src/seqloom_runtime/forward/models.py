"""Which body, and which head, stands behind each task's model names."""

from __future__ import annotations

from .registry import Model, register_models

__all__ = ["PICTURES"]

_CELLS = ("rnn", "gru", "lstm")
_SEQUENCES = (*_CELLS, "tcn", "conv", "conv-gru")
PICTURES = (
    *("lenet", "alexnet", "vgg-11", "vgg-16", "vgg-19", "googlenet"),
    *("resnet-18", "resnet-34", "resnet-50", "resnet-101", "resnet-152"),
)
"""The networks of pictures."""

register_models(
    "forecast",
    {
        "linear": Model("flat"),
        "dense": Model("dense"),
        **{name: Model(name) for name in _CELLS},
        "conv": Model("pooled-conv"),
        "conv-gru": Model("pooled-conv-gru"),
        "tcn": Model("tcn", {"dilation": 2}),
        "nlinear": Model("flat"),
        "dlinear": Model("decomposed"),
        "encoder-decoder": Model("gru"),
    },
)
register_models("sequences", {name: Model(name) for name in _SEQUENCES})
register_models("pictures", {name: Model(name) for name in (*_SEQUENCES, *PICTURES)})
register_models("films", {name: Model(f"frame-{name}") for name in _CELLS})
register_models(
    "text",
    {
        "bow-dense": Model("bag"),
        "pooled": Model("mean"),
        "flat": Model("flat"),
        "conv": Model("conv-max"),
        "inception": Model("inception"),
        "conv-lstm": Model("conv-lstm"),
        **{name: Model(name) for name in _CELLS},
        "bigru": Model("gru", {"bidirectional": True}),
        "bilstm": Model("lstm", {"bidirectional": True}),
        "han": Model("hierarchical", {"bidirectional": True}),
    },
)
register_models(
    "tagging",
    {
        "memoryless": Model("dense", {"activation": "tanh"}),
        "jordan": Model("jordan"),
        "elman": Model("rnn"),
        "lstm": Model("lstm"),
        "gru": Model("gru"),
        **{f"bi{body}": Model(body, {"bidirectional": True}) for body in ("rnn", "lstm", "gru")},
    },
)
register_models("language", {name: Model(name) for name in (*_CELLS, "tcn")})
register_models("translation", {name: Model(name) for name in _CELLS})
register_models("captions", {name: Model(name) for name in _CELLS})
register_models("anomalies", {f"{cell}-autoencoder": Model(cell) for cell in _CELLS})
register_models("anomalies", {f"{cell}-vae": Model(cell, head="gaussian") for cell in _CELLS})
register_models("similarity", {name: Model(name) for name in _CELLS})
register_models(
    "records",
    {
        "gru-d": Model("gru-d"),
        **{name: Model(name) for name in _CELLS},
        "gru-forward": Model("gru"),
        "lstm-forward": Model("lstm"),
    },
)
register_models("transcription", {name: Model(name) for name in ("conv-gru", *_CELLS)})
