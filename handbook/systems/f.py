"""F. The sequence-modelling table (Bai, Kolter and Koltun, arXiv 1803.01271, Table 1)."""

# Torch types a module's parts as tensors or modules, and statsmodels has no types: examples stay free of casts.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import torch

from handbook.draw import bars, lines, matrix, stacked
from handbook.measured import measured
from seqloom import nn, zoo
from seqloom_runtime.data.sequences import adding_floor, adding_problem, copy_floor, copy_memory, pixel_order


def f1() -> str:
    """Sequential MNIST

    A digit from its 784 pixels, one after the other; the answer comes after the last. `seqloom reproduce
    sequential-mnist`.
    """
    net = nn.TCN(1, [25] * 8, 7)
    assert sum(p.numel() for p in net.parameters()) + 25 * 10 + 10 == 66_910
    assert nn.receptive_field(net) == 3061
    picture = np.zeros((28, 28))
    picture[5:8, 7:21] = 1
    for row in range(8, 24):
        picture[row, 20 - (row - 8) // 2 : 22 - (row - 8) // 2] = 1
    pixels = lines({"": picture.ravel()}, across="pixel", height=130)
    return stacked(matrix(picture, numbers=False, cell=6), pixels, bars(measured("sequential-mnist"), unit=" %"))


def f2() -> str:
    """Permuted MNIST

    The same pixels in one fixed random order: neighbours in time are none in the picture. `seqloom reproduce
    permuted-mnist`.
    """
    order = pixel_order()
    assert sorted(order.tolist()) == list(range(784))
    picture = np.zeros((28, 28))
    picture[5:8, 7:21] = 1
    shuffled = picture.ravel()[order].reshape(28, 28)
    assert shuffled.sum() == picture.sum()
    pictures = [matrix(each, numbers=False, cell=6) for each in (picture, shuffled)]
    return stacked(*pictures, bars(measured("permuted-mnist"), unit=" %"))


def f3() -> str:
    """The adding problem

    Two numbers among 600 are marked; the answer is their sum. Saying 1 every time has a mean squared error of 0.1667.
    `seqloom reproduce adding`.
    """
    net = nn.TCN(2, [24] * 8, 8)
    assert sum(p.numel() for p in net.parameters()) + 25 == 70_369
    assert nn.receptive_field(net) == 3571
    x, y = adding_problem(500, 600)
    np.testing.assert_allclose((x[:, :, 0] * x[:, :, 1]).sum(1), y, atol=1e-6)
    assert round(adding_floor(), 4) == 0.1667
    shown = {"number": x[0, :60, 0], "mark": x[0, :60, 1]}
    return stacked(lines(shown, height=150), bars(measured("adding"), log=True))


def f4() -> str:
    """Copy memory

    Ten digits, a thousand blanks, then the ten digits again. Without memory the loss is 0.0204. The published program
    clipped before the backward pass, so not at all, and used no dropout. `seqloom reproduce copy-memory`.
    """
    net = nn.TCN(1, [10] * 8, 8)
    assert sum(p.numel() for p in net.parameters()) + 10 * 10 + 10 == 12_530
    assert round(copy_floor(1000), 4) == 0.0204
    x, y = copy_memory(1, 20)
    assert (x[0, :10, 0] == y[0, -10:]).all()
    shown = {"input": x[0, :, 0], "answer": y[0]}
    return stacked(lines(shown, height=170), bars(measured("copy-memory"), log=True))


def f5() -> str:
    """JSB chorales

    The next chord of Bach's chorales: 88 keys, down or not; the loss is summed over the keys. `seqloom reproduce
    jsb`.
    """
    net = nn.TCN(88, [150] * 2, 3, dropout=0.5)
    assert sum(p.numel() for p in net.parameters()) + 150 * 88 + 88 == 269_938
    assert nn.receptive_field(net) == 13
    return bars(measured("jsb"), unit=" NLL")


def f6() -> str:
    """Nottingham

    The same of a thousand folk tunes. `seqloom reproduce nottingham`.
    """
    net = nn.TCN(88, [150] * 4, 6, dropout=0.2)
    assert sum(p.numel() for p in net.parameters()) + 150 * 88 + 88 == 1_053_238
    assert nn.receptive_field(net) == 151
    return bars(measured("nottingham"), unit=" NLL")


def f7() -> str:
    """Penn Treebank, words

    The next of 10,000 words; perplexity. The output layer is the embedding's, turned round. `seqloom reproduce
    ptb-words`.
    """
    with torch.device("meta"):
        net = nn.TCN(600, [600] * 4, 3, dropout=0.5)
    count = sum(p.numel() for p in net.parameters()) + 10_000 * 600 + 10_000
    assert round(count / 1e6, 2) == 14.66
    assert nn.receptive_field(net) == 61
    return bars(measured("ptb-words"), unit=" perplexity")


def f8() -> str:
    """WikiText-103

    103 million words, 267,735 different ones. `seqloom reproduce wikitext-103` runs where the files are.
    """
    with torch.device("meta"):
        net = nn.TCN(400, [1000] * 4 + [400], 3)
    count = sum(p.numel() for p in net.parameters()) + 267_735 * 401
    assert round(count / 1e6) == 132
    assert nn.receptive_field(net) == 125
    return bars({"words": 267_735 * 401, "convolutions": count - 267_735 * 401}, unit=" numbers")


def f9() -> str:
    """LAMBADA

    The last word of a passage that can be guessed from all of it and not from its last sentence. `seqloom reproduce
    lambada`.
    """
    net = nn.TCN(8, [8] * 5, 4)
    assert nn.receptive_field(net) == 187
    published = {"LSTM": 4186, "RNN": 14725, "TCN": 1279}
    return bars({f"{name}, published": value for name, value in published.items()}, unit=" perplexity")


def f10() -> str:
    """Penn Treebank, characters

    The next of 50 characters; bits, the cross-entropy over ln 2. `seqloom reproduce ptb-chars`.
    """
    net = nn.TCN(100, [450] * 2 + [100], 3)
    assert round((sum(p.numel() for p in net.parameters()) + 50 * 101) / 1e6, 2) == 2.22
    assert nn.receptive_field(net) == 29
    return bars(measured("ptb-chars"), unit=" bits")


def f11() -> str:
    """text8

    A hundred million characters of Wikipedia: 26 letters and the space. `seqloom reproduce text8`. The same task at
    the size of a pocket is the zoo's Shakespeare.
    """
    net = nn.TCN(100, [520] * 4 + [100], 2)
    assert round((sum(p.numel() for p in net.parameters()) + 27 * 101) / 1e6, 2) == 4.13
    assert nn.receptive_field(net) == 63
    published = {"LSTM, published": 1.50, "GRU, published": 1.53, "RNN, published": 1.69, "TCN, published": 1.45}
    assert zoo.names()
    return bars(published, unit=" bits")
