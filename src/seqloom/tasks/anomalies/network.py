"""Recurrent autoencoders: a window of rows to a short code and back; and their variational form.

B windows, T rows of a window, F columns, U units, L numbers of a code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.forward import MODELS

from ...training import derive_seed
from ..networks import (
    BodySpec,
    HeadKind,
    Spec,
    body_spec,
    build_head,
    dropped,
    model_of,
    names_for,
    register_head,
    register_models,
)
from ..networks.body import RecurrentBody, make_recurrent
from ..networks.heads import seeded_linear

__all__ = ["NETWORKS", "AnomalySpec", "Autoencoder", "build_autoencoder", "kl_divergence"]

register_head(
    HeadKind(
        "gaussian",
        "the mean and the log variance of each output, side by side",
        lambda f, o, generator, **_: seeded_linear(f, 2 * o, generator),
    )
)
register_models("anomalies", MODELS["anomalies"])
NETWORKS = names_for("anomalies")
_LOG_2_PI = math.log(2 * math.pi)
_LEAST, _MOST = -10.0, 10.0  # of a log variance: exp stays finite however training goes


@dataclass(frozen=True)
class AnomalySpec(Spec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded."""

    name: str
    columns: int
    window: int
    code: int = 8
    units: int = 32
    layers: int = 1
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0

    _least: ClassVar = dict.fromkeys(("columns", "window", "code", "units", "layers"), 1)

    def __post_init__(self) -> None:
        """Raise SettingError for an unknown model and sizes below 1."""
        model_of("anomalies", self.name)
        self.check_sizes()

    @property
    def variational(self) -> bool:
        """Whether the code is a distribution."""
        return model_of("anomalies", self.name).head == "gaussian"

    @property
    def encoder(self) -> BodySpec:
        """What reads the window."""
        return self._body(self.columns, input_dropout=self.input_dropout)

    @property
    def decoder(self) -> BodySpec:
        """What draws it again."""
        return self._body(self.code)

    def _body(self, inputs: int, **options: float) -> BodySpec:
        return body_spec(
            "anomalies",
            self.name,
            inputs,
            units=self.units,
            layers=self.layers,
            recurrent_dropout=self.recurrent_dropout,
            between_dropout=self.between_dropout,
            **options,
        )


class Autoencoder(nn.Module):
    """The encoder's last state to a code z = W h_T + b; the decoder, which reads z at every step, to the rows.

    Variational (Kingma & Welling 2014, arXiv 1312.6114): the code is a normal distribution N(μ, σ²) for each window,
    drawn from in training and μ otherwise; the loss is −ELBO. Its rows have a variance of their own for each column,
    learned with the rest (Rybkin et al. 2021, arXiv 2006.13202), so that nothing has to be weighed by hand.
    Source: Malhotra et al. 2016, arXiv 1607.00148, with the rows drawn from first to last.
    """

    def __init__(self, spec: AnomalySpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "masks"))
        own = torch.Generator().manual_seed(derive_seed(seed, "linear"))
        self.encoder = RecurrentBody(spec.encoder, derive_seed(seed, "encoder"))
        head = model_of("anomalies", spec.name).head
        self.code = build_head(head, self.encoder.output_size, spec.code, own)
        self.start = seeded_linear(spec.code, spec.layers * spec.units, own)
        self.decoder = make_recurrent(spec.decoder.kind, spec.code, spec.decoder, derive_seed(seed, "decoder"))
        self.output = seeded_linear(spec.units, spec.columns, own)
        if spec.variational:
            self.log_noise = nn.Parameter(torch.zeros(spec.columns))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, F), 0 where a value is unknown → the rows drawn again (B, T, F), of the mean of the code."""
        return self.decode(self.encode(x)[0], x.shape[1])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """x (B, T, F) → the code (B, L), and where it is a distribution its log variance (B, L)."""
        code = self.code(self.encoder.summary(x))
        if not self.spec.variational:
            return code, None
        mean, log_variance = code.chunk(2, dim=1)
        return mean, log_variance.clamp(_LEAST, _MOST)

    def decode(self, code: Tensor, steps: int) -> Tensor:
        """A code (B, L) → so many rows (B, T, F)."""
        spec = self.spec
        first = torch.tanh(self.start(code)).view(len(code), spec.layers, spec.units).transpose(0, 1).contiguous()
        state = (first, torch.zeros_like(first)) if self.decoder.cell.pair else first
        features = self.decoder(code[:, None].expand(-1, steps, -1).contiguous(), state)[0]
        if self.training:
            features = dropped(features, spec.dropout, self.generator)
        return self.output(features)

    def loss(self, x: Tensor, known: Tensor, beta: float = 1.0) -> Tensor:
        """The mean over the known values, of known (B, T, F): the squared error, or −ELBO with `beta` times its KL."""
        mean, log_variance = self.encode(x)
        if log_variance is None:
            return ((self.decode(mean, x.shape[1]) - x).square() * known).sum() / known.sum().clamp(min=1)
        code = mean
        if self.training:
            noise = torch.randn(mean.shape, generator=self.generator)
            code = mean + torch.exp(0.5 * log_variance) * noise
        return -self.elbo(x, known, self.decode(code, x.shape[1]), mean, log_variance, beta)

    def elbo(
        self, x: Tensor, known: Tensor, again: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 1.0
    ) -> Tensor:
        """The evidence lower bound of a known value, in nats: E[ln N(x; x̂, s²)] − β KL(N(μ, σ²) ‖ N(0, 1))."""
        log_noise = self.log_noise.clamp(_LEAST, _MOST)
        fit = -0.5 * ((x - again).square() * torch.exp(-log_noise) + log_noise + _LOG_2_PI)
        return ((fit * known).sum() - beta * kl_divergence(mean, log_variance).sum()) / known.sum().clamp(min=1)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² − ln σ² − 1) of each row: (B, L) and (B, L) → (B,).

    >>> kl_divergence(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1)


def build_autoencoder(spec: AnomalySpec, seed: int) -> Autoencoder:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return Autoencoder(spec, seed)
