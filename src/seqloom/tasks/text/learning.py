"""What `TextClassifier.fit` does: number the words, train the network or fit the bag of words, calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...data import LengthSorted, Vocabulary, WordTokenizer, read_vectors
from ...data.text.scripts import unspaced_script
from ...data.text.words import MARKS
from ...diagnostics import fit_temperature
from ...training import History, derive_seed, fit
from ..class_weights import class_weights
from ..place import Place
from .bow import BagClassifier, BagPlan, bag_tokenizer, require_sklearn
from .encoding import EncodedTexts, TextBatches, encode_texts, numbers_by_length
from .networks import TextNetwork, TextNetworkSpec, build_text_network
from .settings import BAGS, check_memory, network_spec, resolved, resolved_batch, training_settings

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["Learned", "Part", "encoded_for", "learn", "network_logits"]

_SCORING = 128  # texts in a batch when nothing is trained
_BYTES = 4 * 4  # of a number of the embedding: itself, its gradient and the optimizer's two moments


@dataclass(frozen=True, eq=False)
class Part:
    """Texts and their class numbers (N,)."""

    texts: Sequence[str]
    numbers: np.ndarray


@dataclass(eq=False)
class Learned:
    """A trained network and its shape."""

    network: TextNetwork
    spec: TextNetworkSpec


def learn(classifier: TextClassifier, train: Part, valid: Part, place: Place) -> None:
    """Set the learned attributes of a classifier whose classes are known."""
    model, classes = classifier.model, len(classifier.classes_)
    counts = np.bincount(train.numbers, minlength=classes)
    classifier.shares_ = counts / counts.sum()
    classifier.history_, classifier.temperature_ = History.empty(), 1.0
    if model == "majority":
        classifier.n_parameters_ = classes
        return
    weights = class_weights(classifier.class_weight, train.numbers, classifier.classes_)
    learned_from = train.texts if classifier.long_numbers else numbers_by_length(train.texts)
    if model in BAGS:
        _learn_bag(classifier, Part(learned_from, train.numbers), weights)
    else:
        _learn_network(classifier, Part(learned_from, train.numbers), valid, weights, place)
    if classifier.calibrate and len(valid.texts):
        classifier.temperature_ = fit_temperature(valid.numbers, classifier.logits(valid.texts))


def encoded_for(classifier: TextClassifier, texts: Sequence[str]) -> EncodedTexts:
    """The words that the network reads of each text, as ids."""
    texts = texts if classifier.long_numbers else numbers_by_length(texts)
    most = None if classifier.model == "bow-dense" else int(classifier.max_length)
    return encode_texts(classifier.tokenizer_, texts, most, classifier.keep, sentences=classifier.model == "han")


def network_logits(learned: Learned, texts: EncodedTexts) -> np.ndarray:
    """The network's outputs as (N, K) float64, for two classes with a column of zeros before them."""
    network, spec = learned.network, learned.spec
    outputs = np.zeros((len(texts), spec.outputs))
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for rows in LengthSorted(texts.lengths, _SCORING):
            outputs[rows] = network(*texts.batch(rows, _width(spec))).double().numpy()
    network.train(was_training)
    return np.concatenate([np.zeros_like(outputs), outputs], axis=1) if spec.outputs == 1 else outputs


def _by_characters(classifier: TextClassifier, train: Part) -> bool:
    """Whether each character is a token, as the texts have no spaces between words; the notes then say so."""
    script = unspaced_script(train.texts)
    if script is not None:
        classifier.notes_.append(f"The texts have no spaces between words ({script}), so each character is a token.")
    return script is not None


def _learn_bag(classifier: TextClassifier, train: Part, weights: np.ndarray) -> None:
    require_sklearn(classifier.model)
    tokenizer = bag_tokenizer(
        WordTokenizer(lower=classifier.lower, characters=_by_characters(classifier, train), unknown=None),
        train.texts,
        max_words=int(resolved(classifier, "max_words")),
        min_df=classifier.min_df,
        max_df=classifier.max_df,
    )
    plan = BagPlan(
        model=classifier.model,
        weighting=classifier.weighting,
        strength=float(classifier.strength),
        trees=int(classifier.trees),
        seed=derive_seed(int(classifier.seed), classifier.model),
        threads=torch.get_num_threads(),
    )
    classifier.tokenizer_ = tokenizer
    classifier.bag_, notes = BagClassifier.fit(plan, tokenizer, train.texts, train.numbers, weights)
    classifier.n_parameters_ = classifier.bag_.n_parameters
    classifier.notes_ += notes


def _learn_network(
    classifier: TextClassifier, train: Part, valid: Part, class_weight: np.ndarray, place: Place
) -> None:
    seed, model = int(classifier.seed), classifier.model
    tokenizer = WordTokenizer(
        lower=classifier.lower,
        marks=MARKS if resolved(classifier, "punctuation") else "",
        characters=_by_characters(classifier, train),
        max_words=int(resolved(classifier, "max_words")),
        min_count=int(classifier.min_count),
    ).fit(train.texts)
    classifier.tokenizer_ = tokenizer
    words = tokenizer.vocabulary
    vectors = _pretrained(classifier, words)
    spec = network_spec(classifier, len(words), len(classifier.classes_), None if vectors is None else vectors.shape[1])
    words.refuse_if_too_large(_BYTES * spec.embedding_size)
    encoded = encoded_for(classifier, train.texts)
    check_memory(spec, classifier.optimizer, min(resolved_batch(classifier, len(encoded)), len(encoded)))
    network = build_text_network(spec, derive_seed(seed, model, "weights"), vectors)
    batches = TextBatches(
        encoded,
        train.numbers,
        resolved_batch(classifier, len(train.texts)),
        derive_seed(seed, model, "batches"),
        _width(spec),
    )
    loss = _loss(spec, torch.from_numpy(class_weight).float())
    checked = encoded_for(classifier, valid.texts) if len(valid.texts) else None
    learned = Learned(network, spec)

    def validate(module: nn.Module) -> dict[str, float]:
        assert checked is not None
        logits = torch.from_numpy(network_logits(learned, checked))
        truth = torch.from_numpy(valid.numbers)
        right = (logits.argmax(dim=1) == truth).double().mean().item()
        return {"loss": nn.functional.cross_entropy(logits, truth).item(), "accuracy": right}

    classifier.history_ = fit(
        network,
        batches,
        loss,
        settings=training_settings(classifier, len(train.texts)),
        validate=None if checked is None else validate,
        directory=place.directory,
        resume=place.resume,
        on_event=place.on_event,
        signature={
            "network": spec.to_json(),
            "class_weight": class_weight.tolist(),
            "texts": _fingerprint(train, encoded),
            "embeddings": None if vectors is None else str(classifier.embeddings),
        },
    )
    network.eval()
    classifier.learned_ = learned
    classifier.n_parameters_ = sum(p.numel() for p in network.parameters())


def _loss(spec: TextNetworkSpec, weight: Tensor) -> Any:
    """Cross-entropy, each text times its class's weight, averaged over the batch."""

    def loss(module: nn.Module, batch: tuple[tuple[Tensor, Tensor], Tensor]) -> Tensor:
        (ids, lengths), classes = batch
        logits = module(ids, lengths)
        if spec.outputs == 1:
            each = nn.functional.binary_cross_entropy_with_logits(
                logits[:, 0], classes.to(logits.dtype), reduction="none"
            )
        else:
            each = nn.functional.cross_entropy(logits, classes, reduction="none")
        return (each * weight[classes]).mean()

    return loss


def _width(spec: TextNetworkSpec) -> int | None:
    """The flat network reads a fixed number of words, the others what the batch needs."""
    return spec.length if spec.name == "flat" else None


def _pretrained(classifier: TextClassifier, words: Vocabulary) -> Tensor | None:
    """Pretrained rows for these words, with a note on how many have one."""
    if classifier.embeddings is None:
        return None
    vectors = read_vectors(classifier.embeddings, words=words, keep_first=True)
    classifier.notes_.append(f"{classifier.model}: {vectors.coverage(words)}.")
    return torch.from_numpy(vectors.matrix(words, derive_seed(int(classifier.seed), "embeddings")))


def _fingerprint(train: Part, encoded: EncodedTexts) -> str:
    from ..comparison.fingerprint import fingerprint

    return fingerprint([encoded.ids, encoded.offsets, train.numbers])
