"""`CausalConv1d` and `Conv1d`: convolutions over time on (batch, time, channels), with or without weight norm.

K taps, dilation d; the span (K − 1)·d + 1 is what one output sees. Weights are laid out as torch's, (C_out, C_in, K);
the last tap of a causal convolution is the present.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import init

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
from seqloom.nn.causal_stream import CausalStream, check_causal, open_stream
from seqloom.nn.exportable import Exportable
from seqloom.nn.receptive_field import Field
from seqloom.nn.weight_norm import adapt_state_dict, normalised, norms
from seqloom.ops.activations import Activation, check_activation
from seqloom.ops.cell import StepRandom
from seqloom.ops.conv import PADDINGS, causal_conv, check_backend, conv1d
from seqloom.ops.conv_stream import ConvLayer
from seqloom.ops.draws import draw_seed
from seqloom_runtime.errors import SettingError, suggest

__all__ = ["CONV_INITIALISERS", "PADDINGS", "CausalConv1d", "Conv1d", "Convolution"]

CONV_INITIALISERS = ("glorot", "torch")


class Convolution(Exportable, NotScriptable, Drawing):
    """The parameters of one convolution over time; the base of CausalConv1d and Conv1d.

    `weight` (C_out, C_in, K), or under weight norm `weight_g` (C_out, 1, 1) and `weight_v` (C_out, C_in, K); `bias`
    (C_out). `load_state_dict` takes any of the layouts of `nn.weight_norm`, whichever the layer has itself.
    """

    def __init__(self, sizes: tuple[int, int, int], dilation: int, options: dict[str, Any]):
        """Make and initialise the parameters.

        sizes: C_in, C_out, K; options: activation, weight_norm, bias, init, groups and seed.
        """
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size = (
            check_size(name, size) for name, size in zip(("in_channels", "out_channels", "kernel_size"), sizes)
        )
        self.dilation = check_size("dilation", dilation)
        # Taken as an argument only to say so: torch's users look for it.
        if options["groups"] != 1:
            raise SettingError(
                f"groups={options['groups']!r} is not possible: every output channel of {type(self).__name__} reads "
                "every input channel. Use torch.nn.Conv1d for grouped convolutions."
            )
        check_activation(options["activation"], "activation")
        self.activation: Activation = options["activation"]
        self.weight_norm = bool(options["weight_norm"])
        self.generator = generator_of(options["seed"])
        # Drawn before the choice of weight norm, so that both start from the same weights.
        start, bias = self._start(options["init"], bool(options["bias"]))
        if self.weight_norm:
            # g starts as ‖v‖, so that the kernel starts as v.
            self.weight_g, self.weight_v = nn.Parameter(norms(start)), nn.Parameter(start)
        else:
            self.weight = nn.Parameter(start)
        self.bias = None if bias is None else nn.Parameter(bias)

    @property
    def span(self) -> int:
        """(K − 1)·d + 1, the input steps from the first tap to the last."""
        return (self.kernel_size - 1) * self.dilation + 1

    def kernel(self) -> Tensor:
        """The weights that multiply the inputs, (C_out, C_in, K)."""
        return normalised(self.weight_v, self.weight_g) if self.weight_norm else self.weight

    def weight_groups(self) -> dict[str, list[Tensor]]:
        """What weight penalties act on: the kernel under "input", the bias under "bias"."""
        return {"input": [self.kernel()], "recurrent": [], "bias": [] if self.bias is None else [self.bias]}

    def wire(self, layers: list[ConvLayer], source: int, residual: int | None = None, final: Any = "identity") -> Any:
        """Append the layer, a causal one, to a stack that runs step by step: see `nn.causal_stream`."""
        # Conv1d has none.
        dropout = getattr(self, "dropout", 0.0) if self.training else 0.0
        # Not `kernel()`: a stack normalises the weights where it lays them out for its products.
        weight, gain = (self.weight_v, self.weight_g) if self.weight_norm else (self.weight, None)
        options = {"source": source, "residual": residual, "dropout": dropout, "gain": gain}
        layers.append(ConvLayer(weight, self.bias, self.dilation, self.activation, final, **options))
        return len(layers), len(layers) - 1

    def next_context(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The last (K − 1)·d rows of context and x."""
        steps = self.span - 1
        if x.shape[1] < steps:
            before = x.new_zeros(x.shape[0], steps, x.shape[2]) if context is None else context
            x = torch.cat([before, x], dim=1)
        # A copy, as a view would keep the whole chunk in memory.
        return x[:, x.shape[1] - steps :].clone()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any) -> None:
        adapt_state_dict(state_dict, prefix, weight_norm=self.weight_norm)
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

    def extra_repr(self) -> str:
        """Sizes and options, for `print(module)`."""
        parts = [f"{self.in_channels}, {self.out_channels}, {self.kernel_size}"]
        plain = {"dilation": 1, "activation": "identity", "weight_norm": False, "padding": None, "stride": 1}
        parts += [f"{n}={getattr(self, n)!r}" for n, usual in plain.items() if getattr(self, n, usual) != usual]
        return ", ".join([*parts, *(["bias=False"] if self.bias is None else [])])

    def _start(self, how: str, biased: bool) -> tuple[Tensor, Tensor | None]:
        """Fresh weights and bias from the layer's generator."""
        if how not in CONV_INITIALISERS:
            near = suggest(str(how), CONV_INITIALISERS)
            raise SettingError(f"init must be one of {', '.join(CONV_INITIALISERS)}, not {how!r}.{near}")
        weight = torch.empty(self.out_channels, self.in_channels, self.kernel_size)
        bias = torch.zeros(self.out_channels) if biased else None
        if how == "glorot":
            init.xavier_uniform_(weight, generator=self.generator)
        else:
            # What torch's kaiming_uniform with a = √5 comes to.
            bound = (self.in_channels * self.kernel_size) ** -0.5
            init.uniform_(weight, -bound, bound, generator=self.generator)
            if bias is not None:
                init.uniform_(bias, -bound, bound, generator=self.generator)
        return weight, bias


class CausalConv1d(Convolution):
    """y_t = D(φ(b + Σ_k W_k x_{t−(K−1−k)·d})): the output at t sees x_t and what came before; zeros stand before x_0.

    >>> layer = CausalConv1d(1, 1, 2, bias=False)
    >>> _ = layer.load_state_dict({"weight": torch.tensor([[[1.0, 2.0]]])})
    >>> layer(torch.tensor([10.0, 20.0, 30.0]).reshape(1, 3, 1)).flatten().tolist()
    [20.0, 50.0, 80.0]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        dilation: int = 1,
        activation: Activation = "identity",
        dropout: float = 0.0,
        weight_norm: bool = False,
        bias: bool = True,
        init: str = "glorot",
        groups: int = 1,
        seed: int | torch.Generator = 0,
        backend: str = "auto",
    ):
        """Make the layer; raises SettingError for sizes and options that are not possible.

        activation: φ, a name of `ops.activations` or a callable. dropout: probability that a number of the output is
        dropped in training, drawn anew for every call. init: "glorot" (uniform, zero bias) or "torch"
        (±1/√(C_in·K), as nn.Conv1d starts). groups: only 1. seed: an int, or the generator that draws the first
        weights and then the dropout. backend: engine of `ops.causal_conv`.
        """
        options = {"activation": activation, "weight_norm": weight_norm, "bias": bias, "init": init}
        super().__init__(
            (in_channels, out_channels, kernel_size), dilation, {**options, "groups": groups, "seed": seed}
        )
        self.dropout, self.backend = check_probability("dropout", dropout), check_backend(backend)

    def forward(self, x: Tensor, mask: Tensor | None = None, *, context: Tensor | None = None) -> Tensor:
        """(B, T, C_in) → (B, T, C_out).

        mask: (B, T) bool; masked steps are zeros to the steps that follow, their own outputs mean nothing. context:
        (B, (K − 1)·d, C_in), the rows before x, zeros where None. Raises SettingError where shapes don't fit.
        """
        if symbolic(x):
            return as_node(self, x, mask, context=context)
        x = tensor_of(x, self)
        check_input(type(self).__name__, x, self.in_channels)
        return self.convolve(kept_only(x, mask), context, self.random())

    def carry(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`forward` on one chunk of a long sequence: its outputs, and the context of the chunk that follows."""
        check_input(type(self).__name__, x, self.in_channels)
        x = kept_only(x, mask)
        return self.convolve(x, context, self.random()), self.next_context(x, context)

    def convolve(
        self,
        x: Tensor,
        context: Tensor | None,
        random: StepRandom | None,
        residual: Tensor | None = None,
        final_activation: Activation = "identity",
    ) -> Tensor:
        """`ops.causal_conv` with the layer's weights; residual (B, T, C_out) is added, final_activation comes last."""
        return causal_conv(
            x,
            self.kernel(),
            self.bias,
            dilation=self.dilation,
            activation=self.activation,
            residual=residual,
            final_activation=final_activation,
            dropout=self.dropout,
            rng=random,
            training=self.training,
            context=context,
            backend=self.backend,
        )

    def random(self) -> StepRandom | None:
        """The key of this call's dropout, drawn from the layer's generator; None where nothing is dropped."""
        return draw_key(self) if self.dropout else None

    def field(self) -> Field:
        """What an output sees."""
        return Field(before=self.span - 1)

    def output_length(self, steps: int) -> int:
        """As many as there are inputs."""
        return steps

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time: see `CausalStream`."""
        return open_stream(self, batch_size, backend=backend)


class Conv1d(Convolution):
    """φ(b + Σ_k W_k x_{s·j+k·d−p}): the ordinary convolution, with padding p and stride s.

    padding, for T steps and the span S = (K − 1)·d + 1:

    | padding | zeros before x | outputs |
    |---|---|---|
    | valid | 0 | ⌊(T − S)/s⌋ + 1 |
    | same | half of what makes the outputs fit, rounded down | ⌈T/s⌉ |
    | full | S − 1, and as many after x | ⌊(T + S − 2)/s⌋ + 1 |
    | causal | S − 1 | ⌈T/s⌉ |

    >>> layer = Conv1d(14, 32, 5, activation="relu")
    >>> layer(torch.zeros(8, 120, 14)).shape
    torch.Size([8, 116, 32])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        padding: str = "valid",
        stride: int = 1,
        dilation: int = 1,
        activation: Activation = "identity",
        bias: bool = True,
        init: str = "glorot",
        groups: int = 1,
        seed: int | torch.Generator = 0,
        backend: str = "auto",
    ):
        """Make the layer; raises SettingError for sizes and options that are not possible.

        The options are those of CausalConv1d; backend: engine of `ops.conv1d`.
        """
        options = {"activation": activation, "weight_norm": False, "bias": bias, "init": init}
        super().__init__(
            (in_channels, out_channels, kernel_size), dilation, {**options, "groups": groups, "seed": seed}
        )
        if padding not in PADDINGS:
            near = suggest(str(padding), PADDINGS)
            raise SettingError(f"padding must be one of {', '.join(PADDINGS)}, not {padding!r}.{near}")
        self.padding, self.stride, self.backend = padding, check_size("stride", stride), check_backend(backend)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, C_in) → (B, outputs, C_out).

        mask: (B, T) bool; masked steps are zeros to their neighbours, and `output_mask` says which outputs count.
        Raises SettingError where shapes don't fit, and where a valid convolution finds fewer steps than its span.
        """
        if symbolic(x):
            return as_node(self, x, mask)
        x = tensor_of(x, self)
        check_input(type(self).__name__, x, self.in_channels)
        return conv1d(
            kept_only(x, mask),
            self.kernel(),
            self.bias,
            padding=self.padding,
            stride=self.stride,
            dilation=self.dilation,
            activation=self.activation,
            backend=self.backend,
        )

    def output_mask(self, mask: Tensor) -> Tensor:
        """Which outputs count, (B, outputs) bool: those that a sequence of the kept steps alone would have.

        valid: those that see kept steps alone; same, causal: those at a kept step; full: those that see any. Raises
        SettingError for "same" with a stride, whose zeros depend on the length of each row.
        """
        if self.padding == "same" and self.stride > 1:
            raise SettingError(
                "padding='same' with a stride pads each row by its own length, which a batch with a mask can't do: use "
                "padding='valid' or 'causal'."
            )
        if self.padding in ("same", "causal"):
            return mask[:, :: self.stride]
        # Zeros stand on both sides, so one kept step under the kernel is enough.
        if self.padding == "full":
            around = mask.new_zeros(mask.shape[0], self.span - 1)
            return torch.cat([around, mask, around], dim=1).unfold(1, self.span, self.stride).any(-1)
        return mask.unfold(1, self.span, self.stride).all(-1)

    def field(self) -> Field:
        """What an output sees."""
        reach = self.span - 1
        before = {"valid": 0, "same": reach // 2, "full": reach, "causal": reach}[self.padding]
        return Field(before, reach - before, self.stride)

    def output_length(self, steps: int) -> int:
        """How many outputs `steps` inputs give (the table above; below 1: none)."""
        padded = {"valid": steps - self.span, "full": steps + self.span - 2}.get(self.padding, steps - 1)
        # No row for no steps, although a padded kernel would find zeros to see.
        return padded // self.stride + 1 if steps else 0

    def carry(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`forward` on a chunk of a long sequence, where padding is "causal" and stride 1, and what follows needs."""
        check_causal(self)
        check_input(type(self).__name__, x, self.in_channels)
        y = causal_conv(
            x,
            self.kernel(),
            self.bias,
            dilation=self.dilation,
            activation=self.activation,
            context=context,
            backend=self.backend,
        )
        return y, self.next_context(x, context)

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time where padding is "causal" and stride 1; raises SettingError otherwise."""
        return open_stream(self, batch_size, backend=backend)


def draw_key(layer: Any) -> StepRandom | None:
    """A key for one call's dropout from `layer.generator`; None in evaluation."""
    if not layer.training:
        return None
    # One number from the generator; `ops.philox` makes all others of it, each from its own place alone.
    return StepRandom(draw_seed(layer.generator))
