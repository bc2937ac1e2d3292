"""C. Text."""

# Torch types a module's parts as tensors or modules, and statsmodels has no types: examples stay free of casts.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import torch
from bench.zoo.sentences import made_sentences

import seqloom
from handbook.draw import bars, chain, lines, matrix, stacked
from handbook.measured import figure, table
from seqloom import nn, zoo
from seqloom.tasks.networks.pooling import AttentionPooling
from seqloom_runtime.data.text import Vocabulary, WordMatrix, WordTokenizer, WordVectors, one_hot, pad_sequences


def c1() -> str:
    """Bag of words

    How often each word occurs, in no order; a forest or a logistic regression reads the table. `seqloom classify
    --model bow,bow-forest`.
    """
    texts = ["The cat sat on the hat", "The dog ate the cat and the hat"]
    words = WordTokenizer(unknown=None).fit(texts)
    ids, names = words.encode(texts), list(words.vocabulary.words[1:])
    counts = WordMatrix("count").fit(ids, width=len(names) + 1).transform(ids).dense()[:, 1:]
    assert counts.shape == (2, 8)
    assert counts[:, names.index("the")].tolist() == [2, 3]
    assert counts[:, names.index("hat")].tolist() == [1, 1]
    return matrix(counts, columns=names, rows=["document 1", "document 2"])


def c2() -> str:
    """Word tokenizer

    Lower case, punctuation out, the most frequent words get the smallest ids; 0 is padding. From ids: binary, count,
    frequency and tf-idf rows, or one-hot steps.
    """
    texts = ["The cat sat on the mat.", "The dog ate my homework."]
    words = WordTokenizer(unknown=None).fit(texts)
    assert len(words.vocabulary) - 1 == 9
    ids = words.encode(texts)
    assert ids[0] == [1, 2, 3, 4, 1, 5]
    rows = {kind: WordMatrix(kind).fit(ids, width=10).transform(ids).dense()[0, 1:] for kind in ("count", "tfidf")}
    steps = one_hot(np.array(ids[:1]), 10)[0, :, 1:]
    names = list(words.vocabulary.words[1:])
    table_of = matrix(np.array(list(rows.values())), rows=list(rows), columns=names)
    return stacked(table_of, matrix(steps, rows=texts[0].lower().strip(".").split(), numbers=False, title="one-hot"))


def c3() -> str:
    """Padding and truncation

    Texts of a batch get one length. The common default keeps the last tokens of a longer text, not the first.
    """
    ids, mask = pad_sequences([[1, 2, 3, 4, 5], [6, 7]], 4)
    assert ids.tolist() == [[2, 3, 4, 5], [6, 7, 0, 0]]
    assert mask.tolist() == [[True] * 4, [True, True, False, False]]
    first, _ = pad_sequences([[1, 2, 3, 4, 5], [6, 7]], 4, truncation="after", padding="before")
    assert first.tolist() == [[1, 2, 3, 4], [0, 0, 6, 7]]
    return stacked(
        matrix(ids, title="keeps the last, pads behind"), matrix(first, title="keeps the first, pads before")
    )


def c4() -> str:
    """Learned embeddings

    A row of numbers for each word, learned with the rest. Row 0, the padding, is zero and stays zero.
    """
    layer = nn.Embedding(6, 8, seed=1)
    ids = torch.tensor([[2, 5, 2, 0]])
    rows = layer(ids)
    rows.sum().backward()
    assert torch.equal(rows[0, 0], rows[0, 2])
    assert not rows[0, 3].any()
    assert not layer.weight.grad[0].any()
    return matrix(rows[0].detach(), rows=["word 2", "word 5", "word 2", "padding"])


def c5() -> str:
    """Pretrained embeddings

    Vectors that others trained (GloVe text, word2vec text or binary) start the embedding, frozen or tuned; how many
    words of the texts they know is reported. Near words and analogies fall out of the geometry.
    """
    names = ["man", "woman", "king", "queen", "apple"]
    vectors = WordVectors(names, np.array([[1, 0], [1, 1], [3, 0.2], [3, 3], [-2, 1]], dtype=np.float32))
    assert vectors.analogy("man", "woman", "king", 1)[0][0] == "queen"
    known = vectors.coverage(Vocabulary(["king", "apple", "pear"]))
    near = dict(vectors.nearest("queen", 4))
    assert next(iter(near)) in ("woman", "king")
    assert known.missing == ("pear",)
    return bars(near, unit=" cosine to queen")


def c6() -> str:
    """What may stand behind an embedding

    Pooled, flattened, convolved, read by a recurrent network or by several: `seqloom classify --model
    pooled,flat,conv, inception,rnn,lstm,gru,bigru,bilstm,conv-lstm,han`. The smallest of the field's text networks:
    """
    net = torch.nn.Sequential(
        nn.Embedding(20_000, 30),
        nn.GlobalAverage(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(30, 20),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(20, 1),
        torch.nn.Sigmoid(),
    )
    counts = [sum(p.numel() for p in part.parameters()) for part in net]
    assert sum(counts) == 600_000 + 620 + 21
    assert net(torch.randint(0, 20_000, (4, 50))).shape == (4, 1)
    boxes = ["Embedding 30", "Average", "Dropout", "Dense 20", "ReLU", "Dropout", "Dense 1", "sigmoid"]
    return chain(boxes, below=[f"{count:,}" if count else "" for count in counts])


def c7() -> str:
    """Sentiment of film reviews

    25,000 reviews to learn from, 25,000 to be judged by (IMDB). A bag of words is hard to beat. `seqloom reproduce
    imdb`.
    """
    found = {row["model"]: figure(row["test accuracy"]) for row in table("### Film reviews on IMDB")}
    assert found["LSTM"] > 0.87
    assert found["hierarchical attention"] > found["bag of words, logistic regression"]
    return bars(found)


def c8() -> str:
    """Hierarchical attention

    A bidirectional GRU over the words of a sentence, attention, another GRU over the sentences, attention. u = tanh(W
    h + b), α = softmax(u · u_w), s = Σ α h. `TextClassifier(model="han").attention(text)` shows the weights. Source:
    Yang et al., 2016.
    """
    h, mask = torch.randn(1, 6, 4), torch.tensor([[True] * 5 + [False]])
    pool = AttentionPooling(4, seed=0)
    weights = pool.weights(h, mask)
    u = torch.tanh(pool.projection(h)) @ pool.context
    expected = torch.softmax(u[:, :5], dim=1)
    torch.testing.assert_close(weights[:, :5], expected)
    assert float(weights[0, 5].detach()) == 0.0  # masked
    torch.testing.assert_close(pool(h, mask), (weights[..., None] * h).sum(1))
    return matrix(weights.detach(), rows=["α"], columns=["the", "film", "was", "truly", "fine", "(pad)"])


def c9() -> str:
    """Slot filling, with and without memory

    "from X to Y": what a city is depends on the word before. A tagger that sees one word can't know; Elman, Jordan
    and LSTM taggers can. On ATIS, as `seqloom reproduce atis` found:
    """
    found = {row["model"]: figure(row["F1"]) for row in table("### Slot filling on ATIS")}
    assert found["feed-forward"] < found["Elman"] < found["bidirectional LSTM"]
    sentences, tags = made_sentences(3, "train")
    assert [len(words) for words in sentences] == [len(named) for named in tags]
    return bars(found, unit=" % F1")


def c10() -> str:
    """Language models and temperature

    The probability of each next token; drawing from it writes text. Divided by a temperature below 1 the logits make
    the likely more likely, above 1 the draw is bolder.
    """
    logits, drawn = np.array([2.0, 1.0, 0.5, 0.0, -1.0]), {}
    for temperature in (0.5, 1.0, 2.0):
        p = np.exp(logits / temperature)
        drawn[f"temperature {temperature}"] = p / p.sum()
    sure = [each.max() for each in drawn.values()]
    assert sure == sorted(sure, reverse=True)
    text = "the cat sat on the mat . the dog sat on the log . " * 40
    model = seqloom.LanguageModel(model="gru", units=8, layers=1, epochs=2, seed=0).fit(text)
    assert model.generate("the", 6, seed=1) == model.generate("the", 6, seed=1)
    return lines(drawn, across="token", up="probability", points=True)


def c11() -> str:
    """A belief that changes word by word

    The probability of spam after every word, by the zoo's filter: `model.belief(text)`.
    """
    belief = zoo.load("spam").belief("Congratulations you have won a free prize call now to claim")
    words, rows = belief.words, np.array(belief.probabilities)
    spam = rows[:, -1]
    assert len(words) == len(rows)
    assert spam[-1] > 0.9
    return lines({"": spam}, across=" ".join(words), up="probability of spam", points=True)


def c12() -> str:
    """A loss over many steps

    A label at every step, −1 where there is none. Cross-entropy is summed over the steps that have one and averaged
    over the batch, or over all scored steps.
    """
    logits, labels = torch.randn(2, 3, 4), torch.tensor([[1, -1, 3], [0, 2, -1]])
    by_torch = torch.nn.functional.cross_entropy(
        logits.reshape(-1, 4), labels.reshape(-1), ignore_index=-1, reduction="sum"
    )
    by_hand = -sum(
        float(torch.log_softmax(logits[b, t], -1)[labels[b, t]])
        for b in range(2)
        for t in range(3)
        if labels[b, t] >= 0
    )
    np.testing.assert_allclose(float(by_torch), by_hand, rtol=1e-6)
    each = torch.log_softmax(logits, -1).gather(2, labels.clamp(min=0)[..., None])[..., 0]
    return matrix(torch.where(labels >= 0, -each, 0.0), rows=["row 1", "row 2"], columns=["t 1", "t 2", "t 3"])


def c13() -> str:
    """Word vectors trained from text

    Skip-gram and CBOW with negative sampling (Mikolov et al., 1301.3781, 1310.4546), GloVe from co-occurrences
    (Pennington et al., 2014). Words that stand in like places come to lie near each other.
    """
    draw = np.random.default_rng(0)
    eats, flies = ["cat", "dog", "horse", "cow"], ["plane", "kite", "rocket", "drone"]
    places = ["{} eats grass and sleeps in the barn", "{} flies high over clouds in the sky"]
    text = "\n".join(places[n % 2].format(draw.choice((eats, flies)[n % 2])) for n in range(120))
    words = seqloom.WordEmbedder(model="skip-gram", embedding_size=8, min_count=1, epochs=3, subsample=0, seed=0).fit(
        text
    )
    vectors = np.stack([words.vectors_[word] for word in (*eats, *flies)])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert cosines[:4, :4].mean() > cosines[:4, 4:].mean()
    return matrix(cosines, rows=[*eats, *flies], columns=[*eats, *flies], title="cosine")
