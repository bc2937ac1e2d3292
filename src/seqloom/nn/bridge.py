"""`from_torch` and `to_torch`: torch.nn's RNN, LSTM and GRU as modules of seqloom, and back, with the same outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from seqloom.nn.chain import Chain
from seqloom.nn.from_torch_sequential import chained
from seqloom.nn.initialisers import undrawn
from seqloom.nn.options import RecurrentOptions
from seqloom.nn.recurrent import GRU, LSTM, RNN, Recurrent
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom_runtime.errors import SettingError

__all__ = ["from_torch", "to_torch"]

_OURS = {nn.RNN: RNN, nn.LSTM: LSTM, nn.GRU: GRU}
_THEIRS: dict[type[Recurrent], type[nn.RNNBase]] = {ours: theirs for theirs, ours in _OURS.items()}
_NAMES = {"w_x": "weight_ih", "w_h": "weight_hh", "bias": "bias_ih", "bias_h": "bias_hh", "w_p": "weight_hr"}

_FREE = (  # options that torch has under another name, or that matter only before the first call
    "bidirectional",
    "activation",
    "bias",
    "recurrent_bias",
    "projection_size",
    "between_dropout",
    "input_init",
    "recurrent_init",
    "forget_bias",
    "seed",
    "backend",
)


@overload
def from_torch(module: nn.RNNBase, *, seed: int | torch.Generator = 0, backend: str = "auto") -> Recurrent: ...


@overload
def from_torch(module: nn.Sequential, *, seed: int | torch.Generator = 0, backend: str = "auto") -> Chain: ...


def from_torch(module: Any, *, seed: int | torch.Generator = 0, backend: str = "auto") -> Any:
    """Return the seqloom module with the weights, type, device and mode of a torch.nn.RNN, LSTM or GRU.

    A whole nn.Sequential, of these inside `Outputs`, Conv1d, pools, Embedding, Linear, LayerNorm, Flatten, Dropout and
    activations, becomes a `Chain`, which streams where it is causal; it takes (batch, time, numbers) also where
    convolutions had (batch, channels, time), and `notes` says so.

    module: any of the three, stacked, bidirectional, projected; subclasses such as those of `nn.compat` too. seed,
    backend: as in `RecurrentOptions`. The result has both bias vectors (`recurrent_bias=True`), torch's `dropout` as
    `between_dropout`, and is batch first whatever the module was. Weights are copied. Raises SettingError for any
    other kind of module, named with what is in the way, and for parametrized weights.

    >>> theirs = nn.GRU(3, 5, num_layers=2, batch_first=True)
    >>> x = torch.ones(2, 7, 3)
    >>> torch.allclose(from_torch(theirs)(x)[0], theirs(x)[0], atol=1e-6)
    True
    """
    if isinstance(module, nn.Sequential):
        return chained(module, lambda layer: from_torch(layer, seed=seed, backend=backend))
    kind = next((k for k in _OURS if isinstance(module, k)), None)
    if kind is None:
        cells = " Cells run one step: convert the layer around them." if isinstance(module, nn.RNNCellBase) else ""
        raise SettingError(f"from_torch converts torch.nn.RNN, LSTM and GRU, not {type(module).__name__}.{cells}")
    # Their weights are results of other parameters, and a copy would no longer follow them.
    if parametrize.is_parametrized(module):
        raise SettingError(
            "from_torch copies plain weights, but this module's are parametrized: call "
            "torch.nn.utils.parametrize.remove_parametrizations first."
        )
    options: dict[str, Any] = {
        "bidirectional": module.bidirectional,
        "bias": module.bias,
        "recurrent_bias": module.bias,
        "between_dropout": module.dropout,
        "seed": seed,
        "backend": backend,
    }
    if isinstance(module, nn.RNN):
        options["activation"] = module.nonlinearity
    if module.proj_size:
        options["projection_size"] = module.proj_size
    ours = _OURS[kind](module.input_size, module.hidden_size, module.num_layers, **options)
    first = module.weight_ih_l0
    assert isinstance(first, Tensor)
    ours.to(device=first.device, dtype=first.dtype).train(module.training)
    with torch.no_grad():
        for cell, suffix in _cells(ours):
            for name, other in _NAMES.items():
                if (parameter := getattr(cell, name)) is not None:
                    source = getattr(module, other + suffix)
                    # torch multiplies W x, seqloom x W.
                    parameter.copy_(source.t())
                    # Frozen weights stay frozen.
                    parameter.requires_grad_(source.requires_grad)
    return ours


def to_torch(module: Recurrent) -> nn.RNNBase:
    """Return the torch.nn.RNN, LSTM or GRU (batch first) with the weights, type, device and mode of a seqloom module.

    torch always has two bias vectors or none: where the module has one, the second is zeros. Nothing is drawn from
    torch's generator. Raises SettingError, naming every option in the way and why, for what torch.nn can't express.

    >>> ours = LSTM(3, 5, bidirectional=True)
    >>> x = torch.ones(2, 7, 3)
    >>> torch.allclose(to_torch(ours)(x)[0], ours(x)[0], atol=1e-6)
    True
    """
    kind = _THEIRS.get(type(module))
    if kind is None:
        raise SettingError(f"to_torch converts seqloom's RNN, LSTM and GRU; torch.nn has no {type(module).__name__}.")
    _check(module)
    options = module.options
    keywords: dict[str, Any] = {
        "bias": options.bias,
        "batch_first": True,
        # torch warns about a dropout with nothing between layers.
        "dropout": options.between_dropout if module.num_layers > 1 else 0.0,
        "bidirectional": options.bidirectional,
    }
    if kind is nn.RNN:
        keywords["nonlinearity"] = options.activation
    if options.projection_size:
        keywords["proj_size"] = options.projection_size
    first = next(module.parameters())
    for name in ("input_size", "hidden_size", "num_layers"):
        keywords[name] = getattr(module, name)
    theirs = kind(**keywords, device="meta", dtype=first.dtype)  # on meta, nothing is drawn
    undrawn(theirs, first.device).train(module.training)
    with torch.no_grad():
        for cell, suffix in _cells(module):
            for name, other in _NAMES.items():
                target, source = getattr(theirs, other + suffix, None), getattr(cell, name)
                if target is not None:
                    target.copy_(torch.zeros_like(target) if source is None else source.t())
                    # A bias that torch alone has learns like the others.
                    target.requires_grad_(source is None or source.requires_grad)
    return theirs


def _cells(module: Recurrent) -> Iterator[tuple[RecurrentCell, str]]:
    """Our cells in their order with torch's suffix of each."""
    for number, cell in enumerate(module.cells):
        assert isinstance(cell, RecurrentCell)
        layer, direction = divmod(number, module.directions)
        yield cell, f"_l{layer}{'_reverse' if direction else ''}"


def _check(module: Recurrent) -> None:
    """Refuse the options that change what the module computes in a way that torch.nn's layer has no word for."""
    options, plain = module.options, RecurrentOptions()
    refused = [
        f"{name}={value!r}"
        for name, value in vars(options).items()
        # How two directions are merged says nothing where there is one.
        if name not in _FREE and value != getattr(plain, name) and not (name == "merge" and module.directions == 1)
    ]
    allowed = ("tanh", "relu") if isinstance(module, RNN) else ("tanh",)
    if options.activation not in allowed:
        refused.append(f"activation={options.activation!r} (torch has {' and '.join(allowed)})")
    if refused:
        raise SettingError(
            f"torch.nn.{type(module).__name__} can't express {', '.join(refused)}: make the module without "
            f"{'it' if len(refused) == 1 else 'them'} and load the weights that both share, or keep the seqloom module."
        )
