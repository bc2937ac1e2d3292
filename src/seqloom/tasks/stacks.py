"""Layers that are not alike: what `units`, `layers` and `activation` of an estimator say about each.

One number or name is for all `layers`; several are one for each, and `layers` then needs no saying.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from seqloom_runtime.errors import SettingError, shown

__all__ = ["layer_options"]


def layer_options(
    owner: Any, model: str, options: Collection[str], *, use: str = "rnn, gru, lstm or dense", usual: int = 1
) -> dict[str, Any]:
    """units, layers, activation, and where the layers differ stack and activations, as `BodySpec` takes them.

    owner: an estimator. options: the fields of `BodySpec` that the model's body reads; one without layers takes none.
    use: the models whose layers may differ. usual: the default of `layers`.
    Equal sizes and equal activations are those of alike layers, whichever way they were given. Raises SettingError
    where the counts disagree, and for a body whose layers are all alike.

    >>> from types import SimpleNamespace
    >>> layer_options(SimpleNamespace(units=(8, 4), layers=1, activation=None), "gru", ("units", "stack"))
    {'units': 4, 'layers': 2, 'activation': None, 'stack': (8, 4), 'activations': ()}
    >>> layer_options(SimpleNamespace(units=(8, 8), layers=1, activation=None), "gru", ("units", "stack"))
    {'units': 8, 'layers': 2, 'activation': None}
    """
    units = _each(owner.units, int)
    names = _each(owner.activation, str)
    layers = _count(owner, units, names, usual)
    alike = len(set(units)) == 1 and len(set(names)) == 1
    plain = {"units": units[-1], "layers": layers, "activation": names[0] if len(set(names)) == 1 else None}
    if alike or not {"units", "activation"} & set(options):
        return plain
    if "stack" not in options:
        _refuse(owner, model, options, units, names, use)
        return plain
    sizes = units if len(units) > 1 else units * layers
    return {**plain, "stack": sizes, "activations": names if len(set(names)) > 1 else ()}


def _each(value: Any, kind: Any) -> tuple[Any, ...]:
    values = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(None if item is None else kind(item) for item in values)


def _count(owner: Any, units: tuple[int, ...], names: tuple[str | None, ...], usual: int) -> int:
    """The number of layers; raises SettingError where what was given disagrees about it."""
    layers = int(owner.layers)
    if len(units) > 1:
        # Whoever names the units of each layer has left the default alone.
        if layers not in (usual, len(units)):
            raise SettingError(
                f"units: expected one number, or one for each of {layers} layers, got {len(units)}: {_listed(units)}; "
                f"leave layers out, or give layers={len(units)}."
            )
        layers = len(units)
    if len(names) > 1 and len(names) != layers:
        several = "the 1 layer" if layers == 1 else f"each of {layers} layers"
        raise SettingError(
            f"activation: expected one name, or one for {several}, got {len(names)}: {_listed(names)}; "
            f"{'give as many names as units' if len(units) > 1 else f'give layers={len(names)} or the units of each'}."
        )
    return layers


def _refuse(
    owner: Any,
    model: str,
    options: Collection[str],
    units: tuple[int, ...],
    names: tuple[str | None, ...],
    use: str,
) -> None:
    """Raise SettingError for a body whose layers, or levels, are all alike in what was given for each."""
    convolutional = "channels" in options
    if len(set(names)) > 1 and "activation" in options:
        what = "levels" if convolutional else "layers"
        raise SettingError(
            f"activation: {shown(model)} has one activation for all {what}, got {_listed(names)}; give one name, or "
            f"use {use}."
        )
    if len(set(units)) > 1 and convolutional and getattr(owner, "channels", None) is None:
        raise SettingError(
            f"units: {shown(model)} counts the channels of each level, got units {_listed(units)}; give them as "
            "channels, or one number of units."
        )
    if len(set(units)) > 1 and "units" in options:
        raise SettingError(
            f"units: {shown(model)} has layers of one size, got {_listed(units)}; give one number, or use {use}."
        )


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values))
