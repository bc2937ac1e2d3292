"""`CRF`: a linear-chain conditional random field over the tags of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqloom.nn.arguments import NotScriptable
from seqloom_runtime.errors import SettingError

__all__ = ["CRF"]


class CRF(NotScriptable, nn.Module):
    """P(y|x) ∝ exp(a_{y₁} + Σ_t e_t[y_t] + Σ_{t>1} A[y_{t−1}, y_t] + z_{y_T}) with learned A (K, K), a and z (K,).

    e (B, T, K) are the scores that a network gives each of K tags at each step. Parameters start at zero, where the
    model is a softmax at every step. Source: Lafferty, McCallum & Pereira, ICML 2001; with a recurrent network below:
    Huang, Xu & Yu, arXiv 1508.01991. K² + 2K parameters.

    >>> crf, emissions = CRF(3), torch.tensor([[[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    >>> crf.decode(emissions).tolist(), round(crf.loss(emissions, torch.tensor([[0, 2]])).item(), 3)
    ([[0, 2]], 0.791)
    """

    def __init__(self, tags: int) -> None:
        """Make the module; raises SettingError for a number of tags below 1."""
        super().__init__()
        if isinstance(tags, bool) or not isinstance(tags, int) or tags < 1:
            raise SettingError(f"tags must be a whole number, 1 or more, not {tags!r}.")
        self.tags = tags
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor | None = None) -> Tensor:
        """−ln P of the tags, (B,): emissions (B, T, K), tags (B, T) int64, mask (B, T) bool, true from the first
        step on and then false to the end of the row (tags there are not looked at).

        Raises SettingError for other shapes, for a mask with a hole, and for a row without a step.
        """
        mask = self._check(emissions, mask)
        if tags.shape != mask.shape:
            raise SettingError(f"tags must have shape (batch, time) = {tuple(mask.shape)}, not {tuple(tags.shape)}.")
        # Padding may hold a mark such as −100, which is no index.
        tags = torch.where(mask, tags, 0)
        own = emissions.gather(2, tags[:, :, None])[:, :, 0]
        between = self.transitions[tags[:, :-1], tags[:, 1:]]
        last = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1)[:, 0]
        score = self.start[tags[:, 0]] + self.end[last]
        score = score + torch.where(mask, own, 0.0).sum(dim=1) + torch.where(mask[:, 1:], between, 0.0).sum(dim=1)
        return self._log_total(emissions, mask) - score

    def _log_total(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """ln Σ over all tag sequences, by the forward recursion: (B,)."""
        first, *others = emissions.unbind(1)  # a graph of torch.jit.trace refuses another number of steps here
        alpha = self.start + first
        # Largest entries are taken out before exp and put back after log, so that large scores don't overflow.
        highest = self.transitions.max()
        weights = (self.transitions - highest).exp()  # a product of matrices is far cheaper than B·K² exponentials
        for step, emission in enumerate(others, start=1):
            top = alpha.amax(dim=1, keepdim=True)
            mixed = ((alpha - top).exp() @ weights).log() + top + highest
            # Past its end a row keeps its sums.
            alpha = torch.where(mask[:, step, None], mixed + emission, alpha)
        return torch.logsumexp(alpha + self.end, dim=1)

    def decode(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """The most likely tags, (B, T) int64, by Viterbi's recursion; 0 where the mask is false. Raises as `loss`."""
        mask = self._check(emissions, mask)
        with torch.no_grad():
            first, *others = emissions.unbind(1)
            best = self.start + first
            back = []
            for step, emission in enumerate(others, start=1):
                scores = best[:, :, None] + self.transitions
                highest, before = scores.max(dim=1)
                keep = mask[:, step, None]
                # Behind the end each tag points to itself, so that the way back reaches the last real step unchanged.
                back.append(torch.where(keep, before, torch.arange(self.tags, device=before.device)))
                best = torch.where(keep, highest + emission, best)
            tag = (best + self.end).argmax(dim=1, keepdim=True)
            path = [tag]
            for before in reversed(back):
                tag = before.gather(1, tag)
                path.append(tag)
            return torch.where(mask, torch.cat(path[::-1], dim=1), 0)

    def _check(self, emissions: Tensor, mask: Tensor | None) -> Tensor:
        if emissions.dim() != 3 or emissions.shape[2] != self.tags or 0 in emissions.shape[:2]:
            raise SettingError(
                f"emissions must have shape (batch, time, {self.tags} tags) with at least one row and step, not "
                f"{tuple(emissions.shape)}."
            )
        if mask is None:
            return torch.ones(emissions.shape[:2], dtype=torch.bool, device=emissions.device)
        if mask.shape != emissions.shape[:2] or mask.dtype != torch.bool:
            raise SettingError(
                f"mask must be bool of shape {tuple(emissions.shape[:2])}, not {mask.dtype} of {tuple(mask.shape)}."
            )
        # The sums step from a tag to the next, and over a hole there is none.
        if not bool(mask[:, 0].all()) or bool((mask[:, 1:] & ~mask[:, :-1]).any()):
            raise SettingError("mask must be true from each row's first step on, without a hole: pad behind the end.")
        return mask
