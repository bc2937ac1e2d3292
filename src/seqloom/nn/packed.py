"""Packed sequences of `torch.nn.utils.rnn` as the padded batches that the scan takes, and back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

__all__ = ["mask_of_packed", "pack_like", "pad_packed"]


def pad_packed(packed: PackedSequence, *, sort: bool = False) -> tuple[Tensor, Tensor]:
    """Return the rows as a batch (B, T, F) with zeros behind each row's end, and the lengths (B) on the CPU.

    Rows come in the order they had before they were packed, or with `sort` from the longest to the shortest, as
    `packed` holds them.
    """
    # Without its indices a packed batch unpacks in the order it is held in.
    return pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes) if sort else packed, batch_first=True)


def mask_of_packed(lengths: Tensor, time: int, device: torch.device) -> Tensor | None:
    """Return (B, T) bool, True up to each row's length; None where every row has all steps."""
    # No mask at all is faster, and lets in the engines that take none.
    if int(lengths.min()) == time:
        return None
    return torch.arange(time, device=device) < lengths.to(device)[:, None]


def pack_like(batch: Tensor, lengths: Tensor, packed: PackedSequence, *, sort: bool = False) -> PackedSequence:
    """Pack a batch (B, T, F) whose rows stand as `pad_packed` returned them; the order of `packed` is kept."""
    if packed.sorted_indices is not None and not sort:
        batch = batch.index_select(0, packed.sorted_indices)
        # torch keeps lengths on the CPU, the indices beside the data.
        lengths = lengths.index_select(0, packed.sorted_indices.to(lengths.device))
    data = pack_padded_sequence(batch, lengths, batch_first=True).data
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
