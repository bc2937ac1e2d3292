"""flair: its SequenceTagger over words, both directions, with a conditional random field, as it is by default."""

# pyright: reportMissingImports=false
# The libraries are not installed where the project is checked.

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import flair
import numpy as np
from flair.data import Corpus, Sentence
from flair.embeddings import OneHotEmbeddings
from flair.models import SequenceTagger
from flair.trainers import ModelTrainer
from made_data import sentences
from torch import nn


class Program:
    """Sentences of 5 to 40 words, batches of 32."""

    def __init__(self, kind: str, units: int, epochs: int) -> None:
        flair.set_seed(1)
        logging.getLogger("flair").setLevel(logging.ERROR)
        self.epochs, made = epochs, []
        for words, tags in sentences():
            sentence = Sentence(words, use_tokenizer=False)
            for token, tag in zip(sentence, tags):
                token.add_label("pos", tag)
            made.append(sentence)
        self.corpus = Corpus(train=made[:500], dev=made[500:520], test=made[520:], name="made")
        embeddings = OneHotEmbeddings.from_corpus(self.corpus, field="text", embedding_length=100, min_freq=1)
        tags = self.corpus.make_label_dictionary("pos", add_unk=False)
        self.model = SequenceTagger(embeddings, tags, "pos", rnn_type=kind, hidden_size=units)

    def fit(self) -> list[float]:
        """Losses of the epochs."""
        folder = Path("trained")
        (folder / "loss.tsv").unlink(missing_ok=True)  # it would go on with the file of a fit before
        trainer = ModelTrainer(self.model, self.corpus)
        trainer.train(
            folder, learning_rate=0.1, mini_batch_size=32, max_epochs=self.epochs, save_final_model=True,
            train_with_dev=True, eval_batch_size=64, embeddings_storage_mode="none",
        )  # fmt: skip
        lines = (folder / "loss.tsv").read_text(encoding="utf-8").splitlines()
        column = lines[0].split("\t").index("TRAIN_LOSS")
        return [float(line.split("\t")[column]) for line in lines[1:]]

    def network(self) -> nn.Module:
        """The tagger is a module."""
        return self.model

    def forecasts(self) -> Any:
        """Scores of the tags of the test sentences' words."""
        asked = [Sentence([t.text for t in s], use_tokenizer=False) for s in list(self.corpus.test)[:40]]
        self.model.predict(asked, force_token_predictions=True, return_probabilities_for_all_classes=True)
        return np.array([[label.score for label in token.get_tags_proba_dist("pos")] for s in asked for token in s])

    def save(self, folder: Path) -> None:
        """flair's own file."""
        self.model.save(folder / "model.pt")

    def load(self, folder: Path) -> None:
        """Read it back."""
        self.model = SequenceTagger.load(folder / "model.pt")
