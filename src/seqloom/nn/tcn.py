"""`TCN`: the temporal convolutional network of Bai, Kolter & Koltun, arXiv 1803.01271."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.nn.arguments import (
    Drawing,
    NotScriptable,
    as_node,
    check_input,
    check_probability,
    check_size,
    generator_of,
    kept_only,
    symbolic,
    tensor_of,
)
from seqloom.nn.causal_stream import CausalStream, check_parts, open_stream, wire_chain
from seqloom.nn.convolution import CausalConv1d, draw_key
from seqloom.nn.exportable import Exportable
from seqloom.nn.receptive_field import Field
from seqloom.ops.activations import Activation
from seqloom.ops.cell import StepRandom
from seqloom.ops.conv import check_backend
from seqloom.ops.conv_stack import causal_stack
from seqloom.ops.conv_stream import ConvLayer
from seqloom.ops.operators import traced
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward.last_output import parts_for_last

__all__ = ["TCN", "TemporalBlock"]


class TemporalBlock(NotScriptable, Drawing):
    """One level: y = φ(h₂ + R(x)), h₂ = D(φ(conv₂(h₁))), h₁ = D(φ(conv₁(x))), both with the same kernel and dilation.

    R is a 1×1 convolution where the channels change (`downsample`, which starts small: N(0, 0.01²)), else the identity.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        dilation: int = 1,
        dropout: float = 0.0,
        activation: Activation = "relu",
        weight_norm: bool = True,
        seed: int | torch.Generator = 0,
        backend: str = "auto",
    ):
        """Make the block; the options are those of `CausalConv1d`."""
        super().__init__()
        self.generator = generator_of(seed)
        self.activation, self.dropout = activation, check_probability("dropout", dropout)
        common: dict[str, Any] = {"seed": self.generator, "backend": backend, "init": "torch"}
        options = {"dilation": dilation, "activation": activation, "dropout": dropout, "weight_norm": weight_norm}
        self.conv1 = CausalConv1d(in_channels, out_channels, kernel_size, **options, **common)
        self.conv2 = CausalConv1d(out_channels, out_channels, kernel_size, **options, **common)
        self.downsample = CausalConv1d(in_channels, out_channels, 1, **common) if in_channels != out_channels else None
        if self.downsample is not None:
            # Over what was drawn a moment ago: so starts the published network.
            nn.init.normal_(self.downsample.weight, 0.0, 0.01, generator=self.generator)
        self.in_channels, self.out_channels = in_channels, out_channels

    def forward(self, x: Tensor, mask: Tensor | None = None, *, context: Any = None) -> Tensor:
        """(B, T, C_in) → (B, T, C_out); mask and context as `TCN.forward`."""
        return self.run(x, mask, context, self.random())[0]

    def carry(self, x: Tensor, context: Any = None, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        """`forward` on a chunk, and the context of the chunk that follows: the pair of what each convolution sees."""
        return self.run(x, mask, context, self.random(), keep=True)

    def run(
        self, x: Tensor, mask: Tensor | None, context: Any, random: StepRandom | None, *, keep: bool = False
    ) -> tuple[Tensor, Any]:
        """The block's output and, with `keep`, the context that follows; random: the key of the call's dropout."""
        x = tensor_of(x, self)
        check_input(type(self).__name__, x, self.in_channels)
        first, second = check_parts(context, 2, type(self).__name__)
        x = kept_only(x, mask)
        # Again, as a bias turns the zeros of masked steps into numbers that the second one would see.
        h = kept_only(self.conv1.convolve(x, first, random), mask)
        shortcut = x if self.downsample is None else self.downsample.convolve(x, None, None)
        # Shortcut and last activation in the same call: one pass over the outputs instead of three.
        y = self.conv2.convolve(h, second, numbered(random, 1), shortcut, self.activation)
        after = (self.conv1.next_context(x, first), self.conv2.next_context(h, second)) if keep else ()
        return y, after

    def random(self) -> StepRandom | None:
        """The key of a call's dropout; None where nothing is dropped."""
        return draw_key(self) if self.dropout else None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any) -> None:
        """Without the second names `net.0…` and `net.4…` that the published block gives its two convolutions."""
        for name in [name for name in state_dict if name.startswith((f"{prefix}net.0.", f"{prefix}net.4."))]:
            del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

    def field(self) -> Field:
        """What an output sees: 2(K − 1)·d steps before its own."""
        return self.conv1.field().then(self.conv2.field())

    def output_length(self, steps: int) -> int:
        """As many as there are inputs."""
        return steps

    def wire(self, layers: list[ConvLayer], source: int) -> tuple[int, tuple[int, int]]:
        """Append the block's convolutions to a stack that runs step by step: see `nn.causal_stream`."""
        shortcut = source if self.downsample is None else self.downsample.wire(layers, source)[0]
        node, first = self.conv1.wire(layers, source)
        node, second = self.conv2.wire(layers, node, shortcut, self.activation)
        return node, (first, second)

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time: see `CausalStream`."""
        return open_stream(self, batch_size, backend=backend)


class TCN(Exportable, NotScriptable, Drawing):
    """A stack of temporal blocks with dilations 1, 2, 4, …, 2^(n−1): an output sees 1 + 2(K − 1)(2^n − 1) steps.

    `load_state_dict` takes the published layout (`network.0.conv1.weight_g`, `weight_v`, `bias`, `downsample.weight`,
    …; the second names under `network.0.net` are passed over), and that of torch's newer weight norm. The weights start
    as torch's Conv1d does, v under weight norm, the 1×1 convolutions as N(0, 0.01²): so did the published ones.

    >>> sum(p.numel() for p in TCN(1, [25] * 8, 7).parameters())
    66650
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        kernel_size: int = 2,
        dropout: float = 0.0,
        *,
        dilations: Sequence[int] | None = None,
        activation: Activation = "relu",
        weight_norm: bool = True,
        seed: int | torch.Generator = 0,
        backend: str = "auto",
    ):
        """Make the network; raises SettingError for sizes and options that are not possible.

        channels: of each level, at least one. dropout: probability that a number behind a convolution is dropped.
        dilations: of each level, doubling from 1 where None. The others are those of `CausalConv1d`.
        """
        super().__init__()
        widths = list(channels) if isinstance(channels, (list, tuple)) else []
        if not widths:
            raise SettingError(f"channels must be a list of the levels' channels, at least one, not {channels!r}.")
        # Doubling, so that the field doubles with each level and no step in it is left out.
        steps = [2**level for level in range(len(widths))] if dilations is None else list(dilations)
        if len(steps) != len(widths):
            raise SettingError(f"dilations must be one for each of the {len(widths)} levels, not {len(steps)}.")
        self.in_channels, self.backend = check_size("in_channels", in_channels), check_backend(backend)
        self.channels = [check_size("channels", width) for width in widths]
        self.dropout, self.generator = check_probability("dropout", dropout), generator_of(seed)
        self.network = nn.ModuleList(
            TemporalBlock(
                inputs,
                outputs,
                kernel_size,
                dilation=dilation,
                dropout=dropout,
                activation=activation,
                weight_norm=weight_norm,
                seed=self.generator,
                backend=backend,
            )
            for inputs, outputs, dilation in zip([in_channels, *widths], widths, steps)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None, *, context: Any = None, last_only: bool = False) -> Tensor:
        """(B, T, C_in) → (B, T, C_out); the output at t sees x_t and what came before.

        mask: (B, T) bool; masked steps are zeros to every convolution, and their own outputs mean nothing, so a padded
        row gives what it gives alone. context: what `carry` returned for the rows before x, zeros where None.
        last_only: return the output at T − 1 alone, (B, C_out). Without mask and context each level then runs on the
        steps that reach that output, about 2T in all with dilations that double; dropout draws for these steps, so its
        zeros are others than those of the whole sequence. Raises SettingError where shapes don't fit, and for
        `last_only` without a step.
        """
        if symbolic(x):
            return as_node(self, x, mask, context=context, last_only=last_only)
        x = tensor_of(x, self)
        if not last_only:
            return self._run(x, mask, context, keep=False)[0]
        check_input(type(self).__name__, x, self.in_channels)
        if not x.shape[1]:
            raise SettingError(f"last_only needs at least one step, but the input has shape {tuple(x.shape)}.")
        if (
            mask is not None or context is not None or traced()
        ):  # the steps chosen for one length are others for another
            return self._run(x, mask, context, keep=False)[0][:, -1]
        return self._last(x)

    def carry(self, x: Tensor, context: Any = None, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        """`forward` on one chunk of a long sequence, and the context of the chunk that follows.

        `truncated_bptt(tcn.carry, x, window)` trains on chunks. The context is a tuple of pairs, one for each level:
        the last (K − 1)·d inputs of its two convolutions.
        """
        return self._run(x, mask, context, keep=True)

    def _run(self, x: Tensor, mask: Tensor | None, context: Any, *, keep: bool) -> tuple[Tensor, Any]:
        check_input(type(self).__name__, x, self.in_channels)
        parts = check_parts(context, len(self.network), type(self).__name__)
        random = draw_key(self) if self.dropout else None
        # Masks act between the layers and contexts come out of them, which one call over all of them can't do.
        if mask is None and context is None and not keep:
            layers: list[ConvLayer] = []
            self.wire(layers, 0)
            return causal_stack(x, layers, rng=random, training=random is not None, backend=self.backend), ()
        after = []
        for level, (block, part) in enumerate(zip(self.blocks, parts, strict=True)):
            x, last = block.run(x, mask, part, numbered(random, 2 * level), keep=keep)
            after.append(last)
        return x, tuple(after)

    def _last(self, x: Tensor) -> Tensor:
        blocks, random = self.blocks, draw_key(self) if self.dropout else None
        reaches = [int(block.field().before) for block in blocks]
        for part in parts_for_last([block.conv1.dilation for block in blocks], reaches, x.shape[1]):
            layers: list[ConvLayer] = []
            wire_chain(blocks[part.first : part.stop], layers, 0)
            # On every n-th step a dilation is an n-th of itself; that of a 1×1 shortcut, 1, stays.
            layers = [replace(layer, dilation=max(layer.dilation // part.every, 1)) for layer in layers]
            # A block draws twice, so the first of level i is number 2i, as in the whole sequence.
            x, key = x[:, part.start :: part.thin], numbered(random, 2 * part.first)
            x = causal_stack(x, layers, rng=key, training=key is not None, backend=self.backend)
        return x[:, -1]

    @property
    def blocks(self) -> list[TemporalBlock]:
        """The levels from first to last."""
        return [block for block in self.network if isinstance(block, TemporalBlock)]

    def field(self) -> Field:
        """What an output sees."""
        whole = Field()
        for block in self.blocks:
            whole = whole.then(block.field())
        return whole

    def output_length(self, steps: int) -> int:
        """As many as there are inputs."""
        return steps

    def wire(self, layers: list[ConvLayer], source: int) -> Any:
        """Append the levels to a stack that runs step by step: see `nn.causal_stream`."""
        return wire_chain(self.blocks, layers, source)

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time: see `CausalStream`."""
        return open_stream(self, batch_size, backend=backend)


def numbered(random: StepRandom | None, layer: int) -> StepRandom | None:
    """The key with a layer's number added to its own."""
    return None if random is None else replace(random, layer=random.layer + layer)
