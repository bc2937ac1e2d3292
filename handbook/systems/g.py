"""G. Applications."""

# Torch types a module's parts as tensors or modules, and statsmodels has no types: examples stay free of casts.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import itertools

import numpy as np
import torch

import seqloom
from handbook import systems as gallery
from handbook.draw import bars, lines, matrix, stacked
from seqloom import nn, zoo
from seqloom.tasks.networks.attention import AdditiveAttention
from seqloom_runtime.data.irregular import made_records


def g1() -> str:
    """Sequence to sequence

    An encoder reads a date in one of twenty spellings, a decoder writes it as ISO and looks back at the source for
    every character: `model.attend(text)` says where. Dates that no training pair has, in any spelling: 99.95 % exact.
    """
    model = zoo.load("dates")
    source, written, weights = model.attend("5 March 2024")
    assert "".join(written[:10]) == "2024-03-05"
    np.testing.assert_allclose(np.sum(weights, axis=1), 1.0, atol=1e-5)
    rows = [token if len(token) == 1 else "end" for token in written]
    return matrix(weights, rows=rows, columns=[token if len(token) == 1 else "·" for token in source], numbers=False)


def g2() -> str:
    """Frames to symbols: CTC

    Frames of sound have no labels, only the text has. CTC sums the probability of every way to spread the text over
    the frames, with blanks between: `seqloom transcribe`. Held here to the sum over all paths. Source: Graves et al.,
    ICML 2006.
    """
    frames, target = 5, (1, 2)
    p = torch.softmax(torch.randn(frames, 3), 1)  # blank, a, b
    total = 0.0
    for path in itertools.product(range(3), repeat=frames):
        kept = [symbol for symbol, before in zip(path, (None, *path)) if symbol != before and symbol]
        if tuple(kept) == target:
            total += float(torch.prod(p[torch.arange(frames), list(path)]))
    loss = torch.nn.functional.ctc_loss(p.log()[:, None], torch.tensor([target]), (frames,), (2,), reduction="sum")
    np.testing.assert_allclose(float(loss), -np.log(total), rtol=1e-5)
    return matrix(p.T, rows=["blank", "a", "b"], columns=[f"frame {n + 1}" for n in range(frames)], cell=64)


def g3() -> str:
    """The next frames of a film

    `seqloom frames` learns the next frames of films, such as an hour of radar images: recurrent layers whose products
    are convolutions, beside persistence and advection. Here a square that moves, carried on by advection.
    """
    square = np.zeros((7, 14, 14), np.float32)
    for n, frame in enumerate(square):
        frame[5:8, n : n + 3] = 1.0
    model = seqloom.FramePredictor(model="advection", lookback=4, horizon=3, reach=2).fit(np.stack([square] * 4))
    follow = model.predict(square[None, :4])[0]
    assert np.abs(follow - square[4:]).mean() < 0.02
    layer = nn.ConvLSTM(1, 4, seed=1)
    assert layer(torch.zeros(2, 5, 8, 6, 1))[0].shape == (2, 5, 8, 6, 4)
    shown = [matrix(np.concatenate(list(part), axis=1), numbers=False, cell=7) for part in (square, follow)]
    return stacked(*shown)


def g4() -> str:
    """Captions

    A convolutional network makes features of places in a picture, a recurrent decoder writes words and attends to the
    places: `seqloom caption`. The attention is that of translation; here over the 16 places of a 4 × 4 grid. Source:
    Xu et al., arXiv 1502.03044.
    """
    places = torch.nn.Conv2d(1, 8, 4, stride=4)(torch.randn(1, 1, 16, 16)).flatten(2).transpose(1, 2)
    words, _ = nn.GRU(5, 8, seed=0)(torch.randn(1, 3, 5))
    looks = AdditiveAttention(8, seed=0).weights(words, places)
    torch.testing.assert_close(looks.sum(2), torch.ones(1, 3))
    stripes = np.stack([np.eye(8), np.zeros((8, 8))] * 6)
    captioner = seqloom.Captioner(model="nearest").fit(stripes, ["a line", "nothing"] * 6)
    assert captioner.predict(stripes[:2]) == ["a line", "nothing"]
    grids = torch.cat(list(looks[0].reshape(3, 4, 4).detach()), dim=1)
    return matrix(grids, title="where each of three words looks", numbers=False, cell=30)


def g5() -> str:
    """Irregular records

    Values with gaps at irregular times, as on a ward: what was measured, whether it was, and how long ago are all
    inputs. `seqloom sequences --value-columns … --event … --horizon 6h`; GRU-D (Che et al., 2018) learns how fast a
    value grows stale.
    """
    records = made_records(40, seed=1).records
    model = seqloom.RecordModel(model="gru-d", units=4, epochs=1, seed=0).fit(records)
    risk = model.predict(records)
    assert [len(each) for each in risk] == records.lengths.tolist()
    longest = int(np.argmax(records.lengths))
    return lines({"risk": risk[longest]}, across="row of the longest record", up="risk after one epoch", points=True)


def g6() -> str:
    """Text and music, written

    A model of the next token writes text, one of the next frame music: `seqloom generate`. Frames of 88 keys are
    drawn one after another from a carried state.
    """
    roll = np.zeros((24, 88), np.float32)
    for step, chord in enumerate(np.repeat([0, 5, 7, 0], 6)):
        roll[step, 40 + chord + np.array([0, 4, 7])] = 1
    model = seqloom.FrameModel(model="gru", kind="keys", units=16, epochs=40, learning_rate=0.03, batch_size=4, seed=0)
    model.fit([roll[:-1]] * 8, [roll[1:]] * 8)
    written = model.generate(roll[:4], 20, temperature=0.5, seed=1)
    assert written.shape == (20, 88)
    assert set(np.unique(written)) <= {0, 1}
    keys = slice(38, 58)
    pictures = [matrix(part[:, keys].T[::-1], numbers=False, cell=14) for part in (roll, written)]
    return stacked(*pictures)


def g7() -> str:
    """A zoo

    Small trained models that come with the package and open without a network: `seqloom zoo`,
    `seqloom.zoo.load(name)`.
    """
    sizes = {name: zoo.card(name).bytes / 1000 for name in zoo.names()}
    assert all(0 < size <= 400 for size in sizes.values())
    return bars(sizes, unit=" KB")


def g8() -> str:
    """A gallery for teaching

    These pages: every system of the field with its picture and the code that made it, and one cell stepped through
    with its numbers.
    """
    counts = {title: len(gallery.systems(group)) for group, title in gallery.GROUPS.items()}
    assert sum(counts.values()) >= 75
    return bars(counts, unit=" systems")
