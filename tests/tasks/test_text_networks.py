"""The text classifier's networks against hand-written twins; their padding, their counts, their running output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import FormatError, SettingError
from seqloom.nn import to_torch
from seqloom.tasks.memory import count_weights
from seqloom.tasks.text.encoders import running_pool
from seqloom.tasks.text.networks import (
    NETWORKS,
    TextNetwork,
    TextNetworkSpec,
    build_text_network,
    mask_of,
)

WORDS = 12
ONE_DIRECTION = ("rnn", "gru", "lstm")


def count_text_parameters(shape: TextNetworkSpec) -> int:
    return count_weights(lambda: build_text_network(shape, 0))


def spec_of(name: str, **changes: object) -> TextNetworkSpec:
    small = TextNetworkSpec(name=name, words=WORDS, classes=3, length=9, embedding_size=4, units=3, kernel_size=3)
    return replace(small, **changes)  # type: ignore[arg-type]


def network_of(spec: TextNetworkSpec, seed: int = 1) -> TextNetwork:
    """Random unequal weights, biases too, in evaluation mode; the padding row stays zero."""
    network = build_text_network(spec, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.7)
        network.embedding.weight[0] = 0.0
    return network.eval()


def texts_of(lengths: list[int], extra: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.zeros(len(lengths), max(lengths) + extra, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(1, WORDS, (length,), generator=generator)
    return ids, torch.tensor(lengths)


def documents_of(words: list[list[int]], extra: tuple[int, int], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """ids (B, S, W) and lengths (B, S) from the number of words in each sentence of each text."""
    sentences, longest = max(map(len, words)) + extra[0], max(max(text, default=0) for text in words) + extra[1]
    ids = torch.zeros(len(words), sentences, longest, dtype=torch.int64)
    lengths = torch.zeros(len(words), sentences, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    for row, text in enumerate(words):
        for place, length in enumerate(text):
            ids[row, place, :length] = torch.randint(1, WORDS, (length,), generator=generator)
            lengths[row, place] = length
    return ids, lengths


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "han"])
@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=4), extra=st.integers(0, 30), seed=st.integers(0, 9))
def test_padding_and_neighbours_change_nothing(name: str, lengths: list[int], extra: int, seed: int) -> None:
    network = network_of(spec_of(name))
    ids, counts = texts_of([*lengths, 1], extra if name != "flat" else 0, seed)
    together = network(ids, counts)
    for row, length in enumerate(lengths):
        alone = network(ids[row : row + 1, : max(length, 1)], counts[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], atol=2e-6, rtol=2e-5)


@given(
    words=st.lists(st.lists(st.integers(1, 5), max_size=4), min_size=1, max_size=4),
    extra=st.tuples(st.integers(0, 3), st.integers(0, 4)),
    seed=st.integers(0, 9),
)
def test_padding_changes_nothing_in_a_hierarchy(words: list[list[int]], extra: tuple[int, int], seed: int) -> None:
    network = network_of(spec_of("han"))
    ids, lengths = documents_of([*words, [1]], extra, seed)
    together = network(ids, lengths)
    for row, text in enumerate(words):
        place = (slice(row, row + 1), slice(0, max(1, len(text))))
        alone = network(ids[place][..., : max(1, *text, 1)], lengths[place])
        torch.testing.assert_close(alone[0], together[row], atol=2e-6, rtol=2e-5)


def test_the_hierarchy_equals_loops_over_sentences_and_texts() -> None:
    """Yang et al.'s equations with torch.nn.GRU, a sentence at a time."""
    network = network_of(spec_of("han")).double()
    words = [[3, 1, 4], [2], [], [5, 5]]
    ids, lengths = documents_of(words, (1, 2), 3)
    encoder = network.encoder
    read_words, read_sentences = to_torch(encoder.words), to_torch(encoder.sentences)

    def attend(h: torch.Tensor, pool: Any) -> tuple[torch.Tensor, torch.Tensor]:
        alpha = torch.softmax(torch.tanh(h @ pool.projection.weight.T + pool.projection.bias) @ pool.context, dim=0)
        return alpha @ h, alpha

    x = network.embedding(ids)
    text, attention = encoder.attend(x, mask_of(lengths, ids.shape[-1]))
    for row, sentences in enumerate(words):
        vectors = []
        for place, length in enumerate(sentences):
            vector, alpha = attend(read_words(x[row, place, :length][None])[0][0], encoder.word_attention)
            vectors.append(vector)
            torch.testing.assert_close(attention.words[row, place, :length], alpha)
            assert not attention.words[row, place, length:].any()
        assert not attention.sentences[row, len(sentences) :].any()
        if vectors:
            expected, beta = attend(read_sentences(torch.stack(vectors)[None])[0][0], encoder.sentence_attention)
            torch.testing.assert_close(text[row], expected)
            torch.testing.assert_close(attention.sentences[row, : len(sentences)], beta)
        else:
            assert not text[row].any()
    torch.testing.assert_close(network(ids, lengths), text @ network.output.weight.T + network.output.bias)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "bigru", "bilstm"])
@pytest.mark.parametrize("pool", ["last", "mean", "max", "attention"])
def test_recurrent_networks_equal_torch_on_each_text_alone(name: str, pool: str) -> None:
    network = network_of(spec_of(name, layers=2, pool=pool)).double()
    ids, lengths = texts_of([5, 1, 7], 2, 4)
    reader = to_torch(network.encoder.recurrent)
    for row, length in enumerate(lengths.tolist()):
        y = reader(network.embedding(ids[row : row + 1, :length]))[0][0]
        units = network.encoder.recurrent.state_size
        if pool == "last":
            vector = torch.cat([y[-1, :units], y[0, units:]])
        elif pool == "attention":
            unit = network.encoder.pooling
            vector = (
                torch.softmax(torch.tanh(y @ unit.projection.weight.T + unit.projection.bias) @ unit.context, 0) @ y
            )
        else:
            vector = y.mean(0) if pool == "mean" else y.amax(0)
        expected = network.output.weight @ vector + network.output.bias
        torch.testing.assert_close(network(ids, lengths)[row], expected)


@pytest.mark.parametrize("name", ["conv", "inception", "conv-lstm"])
def test_convolutions_equal_numpy(name: str) -> None:
    network = network_of(spec_of(name)).double()
    ids, lengths = texts_of([23], 0, 5)
    x = network.embedding.weight.detach().numpy()[ids[0].numpy()]

    def conv(x: np.ndarray, layer: Any) -> np.ndarray:
        w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        windows = [x[t : t + w.shape[2]] for t in range(len(x) - w.shape[2] + 1)]
        return np.maximum(np.array([np.einsum("kc,fck->f", window, w) + b for window in windows]), 0)

    def pool(y: np.ndarray, size: int) -> np.ndarray:
        return np.array([y[t : t + size].max(0) for t in range(0, len(y), size)])

    encoder: Any = network.encoder
    if name == "inception":
        vector = np.concatenate([conv(x, branch).max(0) for branch in encoder.branches])
    elif name == "conv":
        vector = conv(pool(conv(x, encoder.first), 5), encoder.second).max(0)
    else:
        shorter = torch.from_numpy(pool(conv(x, encoder.convolution), 4))
        vector = to_torch(encoder.recurrent)(shorter[None])[0][0, -1].detach().numpy()
    expected = network.output.weight.detach().numpy() @ vector + network.output.bias.detach().numpy()
    assert np.allclose(network(ids, lengths)[0].detach().numpy(), expected)


def test_pooled_and_flat_equal_numpy_and_the_hidden_layer_is_relu() -> None:
    for name in ("pooled", "flat"):
        network = network_of(spec_of(name, hidden=5)).double()
        ids, lengths = texts_of([7, 4], 0, 6)
        x = network.embedding.weight.detach().numpy()[ids.numpy()]
        for row, length in enumerate(lengths.tolist()):
            vector = x[row, :length].mean(0) if name == "pooled" else np.zeros((9, 4))
            if name == "flat":
                vector[:length] = x[row, :length]
            hidden = (
                network.output.hidden.weight.detach().numpy() @ vector.ravel()
                + network.output.hidden.bias.detach().numpy()
            )
            expected = network.output.output.weight.detach().numpy() @ np.maximum(hidden, 0)
            expected += network.output.output.bias.detach().numpy()
            assert np.allclose(network(ids, lengths)[row].detach().numpy(), expected)


@pytest.mark.parametrize("name", ONE_DIRECTION)
@pytest.mark.parametrize("pool", ["last", "mean", "max"])
def test_the_running_output_is_that_of_every_beginning(name: str, pool: str) -> None:
    network = network_of(spec_of(name, layers=2, pool=pool))
    ids, _ = texts_of([6], 0, 2)
    read = running_pool(network.encoder.steps(network.embedding(ids)), pool)
    steps = network.read_out(read)[0]
    for t in range(6):
        torch.testing.assert_close(steps[t], network(ids[:, : t + 1], torch.tensor([t + 1]))[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_counted_without_building(name: str) -> None:
    for changes in ({}, {"hidden": 5, "classes": 2}, {"layers": 2, "pool": "attention", "embedding_size": 7}):
        spec = spec_of(name, **changes)
        network = build_text_network(spec, 0)
        assert count_text_parameters(spec) == sum(p.numel() for p in network.parameters())


def test_published_counts() -> None:
    """B4, A7 and C6 of the systems: the textbook's networks."""
    conv = TextNetworkSpec("conv", 10000, 2, embedding_size=128, units=32, kernel_size=7)
    assert count_text_parameters(conv) == 1_315_937
    stacked = TextNetworkSpec("rnn", 10000, 2, embedding_size=32, units=32, layers=4)
    assert count_text_parameters(stacked) == 320_000 + 4 * 2_080 + 33
    pooled = TextNetworkSpec("pooled", 1000, 2, embedding_size=30, hidden=20)
    assert count_text_parameters(pooled) == 30_000 + 31 * 20 + 21
    hierarchy = build_text_network(TextNetworkSpec("han", 50, 2, embedding_size=20, units=50), 0)
    assert hierarchy.encoder.word_attention.context.shape == (100,)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_gets_a_gradient_and_equal_seeds_give_equal_networks(name: str) -> None:
    spec = spec_of(name, dropout=0.2, embedding_dropout=0.1, input_dropout=0.1, recurrent_dropout=0.1)
    ids, lengths = documents_of([[5, 3], [4], [2, 5, 1]], (0, 0), 1) if name == "han" else texts_of([9, 7, 8], 0, 1)
    outputs, network = [], build_text_network(spec, 4)
    for _ in range(2):
        network = build_text_network(spec, 4)
        torch.manual_seed(0)
        y = network(ids, lengths)
        y.square().sum().backward()
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.any(), parameter_name
        outputs.append(y.detach())
    assert torch.equal(*outputs)
    assert network.embedding.weight.grad is not None
    assert not network.embedding.weight.grad[0].any()


def test_what_is_refused() -> None:
    with pytest.raises(SettingError, match="model: expected one of bow-dense, pooled"):
        build_text_network(spec_of("transformer"), 0)
    with pytest.raises(SettingError, match="units: expected"):
        build_text_network(spec_of("gru", units=0), 0)
    with pytest.raises(SettingError, match="pooling: expected one of last"):
        build_text_network(spec_of("gru", pool="sum"), 0)
    good = spec_of("gru").to_json()
    assert TextNetworkSpec.from_json(good) == spec_of("gru")
    for bad in ({**good, "units": "8"}, {**good, "layers": True}, {**good, "more": 1}, {}):
        with pytest.raises(FormatError, match="network: expected"):
            TextNetworkSpec.from_json(bad)
