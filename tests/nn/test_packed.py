"""PackedSequence in and out of our own modules: the padded run with lengths, value for value."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan
from seqloom.nn.packed import pack_like, pad_packed

LENGTHS = {"any order": [4, 1, 6, 4], "sorted": [6, 4, 4, 1], "equal": [5, 5, 5]}


def sequences(lengths: list[int]) -> list[Tensor]:
    source = torch.Generator().manual_seed(3)
    return [torch.randn(n, 3, generator=source) for n in lengths]


def parts(state: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: RNN(3, 5, reverse=True),
        lambda: Jordan(3, 5, 2),
        lambda: LSTM(3, 5, 2, bidirectional=True, projection_size=2),
        lambda: GRU(3, 5, 2, bidirectional=True, recurrent_dropout=0.3, between_dropout=0.2, zoneout=0.1),
    ],
)
def test_packed_is_padded_with_lengths(make, lengths):
    rows = sequences(lengths)
    ordered = lengths == sorted(lengths, reverse=True)
    packed = pack_sequence(rows, enforce_sorted=ordered)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    one, other = make(), make()  # equal seeds: equal weights and masks
    state = one.initial_state(len(rows))
    source = torch.Generator().manual_seed(5)
    for s in parts(state):
        s.normal_(generator=source)
    y, last = one(packed, state)
    z, expected = other(padded, state, lengths=lengths)
    assert isinstance(y, PackedSequence)
    assert torch.equal(y.batch_sizes, packed.batch_sizes)
    back, back_lengths = pad_packed_sequence(y, batch_first=True)
    assert back_lengths.tolist() == lengths
    for row, n in enumerate(lengths):
        torch.testing.assert_close(back[row, :n], z[row, :n])
    for a, b in zip(parts(last), parts(expected), strict=True):
        torch.testing.assert_close(a, b)
    one, other = make().eval(), make().eval()
    final, _ = one(packed, last_only=True)
    torch.testing.assert_close(final, other(padded, lengths=lengths, last_only=True)[0])


@pytest.mark.parametrize("sort", [False, True])
def test_there_and_back(sort):
    packed = pack_sequence(sequences([2, 5, 1]), enforce_sorted=False)
    batch, lengths = pad_packed(packed, sort=sort)
    assert lengths.tolist() == ([5, 2, 1] if sort else [2, 5, 1])
    assert torch.equal(pack_like(batch, lengths, packed, sort=sort).data, packed.data)


def test_refusals():
    packed = pack_sequence(sequences([3, 2]))
    with pytest.raises(SettingError, match="leave out lengths"):
        GRU(3, 4)(packed, lengths=[3, 2])  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(SettingError, match="leave out mask"):
        GRU(3, 4)(packed, mask=torch.ones(2, 3, dtype=torch.bool))  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(SettingError, match=r"2 inputs\), not \(5, 3\)"):
        GRU(2, 4)(packed)
    with pytest.raises(SettingError, match="batch_size must be a whole number"):
        GRU(2, 4).initial_state(-1)
