"""What `TextClassifier.fit` does: number the words, train the network or fit the bag of words, calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data import LengthSorted, Vocabulary, WordTokenizer, read_vectors
from seqloom_runtime.data.text.scripts import unspaced_script
from seqloom_runtime.data.text.words import MARKS
from seqloom_runtime.text.bow import BagClassifier
from seqloom_runtime.text.encoding import EncodedTexts, encode_texts, numbers_by_length

from ...diagnostics import fit_temperature
from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..class_weights import class_weights
from ..comparison.fingerprint import fingerprint
from ..memory import weights_of
from .batches import TextBatches, tensors
from .bow import BagPlan, bag_tokenizer, fit_bag, require_sklearn
from .networks import TextNetwork, TextNetworkSpec, build_text_network
from .settings import BAGS, check_memory, network_spec, resolved, resolved_batch, training_settings

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["Fitted", "Learned", "Part", "encoded_for", "learn", "logits_of"]

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


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds; of `learned` (a network) and `bag` one is there, or for the majority none.

    shares (K,): of the classes in training. temperature: what logits are divided by.
    """

    classes: list[Any]
    shares: np.ndarray
    n_parameters: int
    notes: list[str]
    temperature: float = 1.0
    history: History = field(default_factory=History.empty)
    tokenizer: WordTokenizer | None = None
    learned: Learned | None = None
    bag: BagClassifier | None = None


def learn(
    classifier: TextClassifier,
    classes: list[Any],
    parts: tuple[Part, Part],
    notes: list[str],
    checkpoints: Checkpointing,
) -> Fitted:
    """Fit what the parameters name on the training part, calibrate it on the other; `notes` come before its own."""
    train, valid = parts
    counts = np.bincount(train.numbers, minlength=len(classes))
    found = Fitted(classes, counts / counts.sum(), len(classes), notes)
    if classifier.model == "majority":
        return found
    if (script := unspaced_script(train.texts)) is not None:
        said = f"The texts have no spaces between words ({script}), so each character is a token."
        found = replace(found, notes=[*notes, said])
    weights = class_weights(classifier.class_weight, train.numbers, classes)
    learned_from = Part(_as_read(classifier, train.texts), train.numbers)
    if classifier.model in BAGS:
        found = _learn_bag(classifier, found, learned_from, weights)
    else:
        found = _learn_network(classifier, found, (learned_from, valid), weights, checkpoints)
    if classifier.calibrate and len(valid.texts):
        logits = logits_of(classifier, found.tokenizer, found.bag or found.learned, valid.texts)
        found = replace(found, temperature=fit_temperature(valid.numbers, logits))
    return found


def encoded_for(classifier: TextClassifier, tokenizer: WordTokenizer, texts: Sequence[str]) -> EncodedTexts:
    """The words that the network reads of each text, as ids."""
    # The mean over all words of a text needs no room for each: bow-dense reads as far as a bag does.
    most = None if classifier.model == "bow-dense" else int(classifier.max_length)
    known = _as_read(classifier, texts)
    return encode_texts(tokenizer, known, most, classifier.keep, sentences=classifier.model == "han")


def logits_of(classifier: TextClassifier, tokenizer: Any, model: Any, texts: Sequence[str]) -> np.ndarray:
    """What a fitted bag or network, `model`, gives for texts before calibration: (N, K) float64."""
    if isinstance(model, BagClassifier):
        return model.logits(_as_read(classifier, texts))
    return _network_logits(model, encoded_for(classifier, tokenizer, texts))


def _as_read(classifier: TextClassifier, texts: Sequence[str]) -> Sequence[str]:
    return texts if classifier.long_numbers else numbers_by_length(texts)


def _network_logits(learned: Learned, texts: EncodedTexts) -> np.ndarray:
    """The network's outputs as (N, K) float64, for two classes with a column of zeros before them."""
    network, spec = learned.network, learned.spec
    outputs = np.zeros((len(texts), spec.outputs))
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for rows in LengthSorted(texts.lengths, _SCORING):
            outputs[rows] = network(*tensors(texts, rows, _width(spec))).double().numpy()
    network.train(was_training)
    return np.concatenate([np.zeros_like(outputs), outputs], axis=1) if spec.outputs == 1 else outputs


def _by_characters(texts: Sequence[str]) -> bool:
    """Whether each character is a token, as there are no spaces between words."""
    return unspaced_script(texts) is not None


def _learn_bag(classifier: TextClassifier, found: Fitted, train: Part, weights: np.ndarray) -> Fitted:
    require_sklearn(classifier.model)
    tokenizer = bag_tokenizer(
        WordTokenizer(lower=classifier.lower, characters=_by_characters(train.texts), unknown=None),
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
    bag, notes = fit_bag(plan, tokenizer, train.texts, train.numbers, weights)
    return replace(found, tokenizer=tokenizer, bag=bag, n_parameters=bag.n_parameters, notes=[*found.notes, *notes])


def _learn_network(
    classifier: TextClassifier,
    found: Fitted,
    parts: tuple[Part, Part],
    class_weight: np.ndarray,
    checkpoints: Checkpointing,
) -> Fitted:
    (train, valid), seed, model = parts, int(classifier.seed), classifier.model
    tokenizer = WordTokenizer(
        lower=classifier.lower,
        marks=MARKS if resolved(classifier, "punctuation") else "",
        characters=_by_characters(train.texts),
        max_words=int(resolved(classifier, "max_words")),
        min_count=int(classifier.min_count),
    ).fit(train.texts)
    words = tokenizer.vocabulary
    vectors, notes = _pretrained(classifier, words)
    spec = network_spec(classifier, len(words), len(found.classes), None if vectors is None else vectors.shape[1])
    # Before the network is built: the embedding of millions of words is what doesn't fit into memory.
    words.refuse_if_too_large(_BYTES * spec.embedding_size)
    encoded = encoded_for(classifier, tokenizer, train.texts)
    size = resolved_batch(classifier, len(encoded))
    check_memory(spec, classifier.optimizer, min(size, len(encoded)))
    network = build_text_network(spec, derive_seed(seed, model, "weights"), vectors)
    batches = TextBatches(encoded, train.numbers, size, derive_seed(seed, model, "batches"), _width(spec))
    checked = encoded_for(classifier, tokenizer, valid.texts) if len(valid.texts) else None
    learned = Learned(network, spec)

    def validate(module: nn.Module) -> dict[str, float]:
        assert checked is not None
        logits = torch.from_numpy(_network_logits(learned, checked))
        truth = torch.from_numpy(valid.numbers)
        right = (logits.argmax(dim=1) == truth).double().mean().item()
        each = nn.functional.cross_entropy(logits, truth, reduction="none")
        # Weighted as the training is, so that the two can be held side by side.
        return {"loss": (each * torch.from_numpy(class_weight)[truth]).mean().item(), "accuracy": right}

    history = checkpoints.train(
        network,
        batches,
        _loss(spec, torch.from_numpy(class_weight).float()),
        settings=training_settings(classifier, len(train.texts)),
        validate=None if checked is None else validate,
        signature={
            "network": spec.to_json(),
            "class_weight": class_weight.tolist(),
            "texts": fingerprint([encoded.ids, encoded.offsets, train.numbers]),
            "embeddings": None if vectors is None else str(classifier.embeddings),
        },
    )
    network.eval()
    return replace(
        found,
        tokenizer=tokenizer,
        learned=learned,
        history=history,
        n_parameters=weights_of(network),
        notes=[*found.notes, *notes],
    )


def _loss(spec: TextNetworkSpec, weight: Tensor) -> Any:
    """Cross-entropy, each text times its class's weight, averaged over the batch."""

    def loss(module: nn.Module, batch: tuple[tuple[Tensor, Tensor], Tensor]) -> Tensor:
        (ids, lengths), classes = batch
        logits = module(ids, lengths)
        if spec.outputs == 1:
            # The same loss as that of two logits of which the first is 0.
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


def _pretrained(classifier: TextClassifier, words: Vocabulary) -> tuple[Tensor | None, list[str]]:
    """Pretrained rows for these words, with a note on how many have one."""
    if classifier.embeddings is None:
        return None, []
    vectors = read_vectors(classifier.embeddings, words=words, keep_first=True)
    matrix = vectors.matrix(words, derive_seed(int(classifier.seed), "embeddings"))
    return torch.from_numpy(matrix), [f"{classifier.model}: {vectors.coverage(words)}."]
