"""How each model of the zoo is made, by name. Data sets are found as the studies find theirs (SEQLOOM_DATA)."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import seqloom
from seqloom.studies.rewriting import made_dates
from seqloom.studies.sine import sine_data
from seqloom.studies.speaking import spoken
from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.data.sequences import load_mnist
from seqloom_runtime.data.speech import Sound
from seqloom_runtime.data.text import Corpus, LabelledTexts
from seqloom_runtime.data.text.named import read_named_text

from .made import Made, Score
from .sentences import made_sentences

__all__ = ["MAKERS"]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MADE = "none needed: the data is made by a script"


def _sine() -> Made:
    data = sine_data()
    (x, y), (x_test, y_test) = ([part.numpy() for part in parts] for parts in (data.train, data.test))
    model = seqloom.SequenceRegressor(model="gru", units=10, epochs=200, learning_rate=0.003, scaling="none", seed=0)
    model.fit(x, y[:, 0], valid=(x[-80:], y[-80:, 0]))
    error = float(np.mean((model.predict(x_test) - y_test[:, 0]) ** 2))
    last = float(np.mean((x_test[:, -1] - y_test).astype(np.float64) ** 2))
    example = [round(float(value), 4) for value in x_test[0, :, 0]]
    return Made(
        model=model,
        title="The next value of a sine wave from the last ten",
        architecture="GRU(10) and a linear read-out",
        data="1,000 points of sin on [0, 100] in windows of ten, the first 80 % to train on",
        licence=_MADE,
        scores=[Score("MSE", error, "the last 20 %", {"last value": last})],
        limits=[
            "It knows this one frequency and amplitude: steps of 0.1 radian, values from −1 to 1.",
            "It was trained one step ahead; fed with its own forecasts it drifts.",
        ],
        tries=["seqloom inspect zoo:sine"],
        example={"input": example, "output": _rounded(model.predict([np.array(example)[:, None]]))},
    )


def _co2() -> Made:
    from statsmodels.datasets import co2

    frame: Any = co2.load_pandas().data
    table = frame.reset_index(names="time")
    panel = seqloom.Panel.from_frame(table, time="time")
    run = seqloom.compare_forecasters(
        panel,
        ["naive", "seasonal", "gru"],
        {"lookback": 104, "horizon": 52, "season": 52, "epochs": 30, "linear_skip": False},
        target="co2",
    )
    test = {name: run.metrics["models"][name]["test"]["mae"] for name in ("naive", "seasonal", "gru")}
    model = run.forecasters["gru"]
    forecast = model.predict(horizon=4)
    return Made(
        model=model,
        title="CO2 at Mauna Loa, a year ahead",
        architecture="GRU(32) on 104 weeks, 52 steps at once, added to the last value",
        data="weekly CO2 in ppm at Mauna Loa, 1958 to 2001 (Keeling and Whorf), as statsmodels bundles it",
        licence="public domain",
        scores=[
            Score("MAE", test["gru"], "the last 15 % of the weeks", {k: test[k] for k in ("naive", "seasonal")}, " ppm")
        ],
        limits=[
            "It forecasts from the end of its training data, December 2001, or from newer rows that you give.",
            "Its training rows reach 354 ppm: at today's level it is used far outside of what it learned.",
        ],
        tries=["seqloom predict zoo:co2 --horizon 8", "seqloom inspect zoo:co2"],
        example={"input": None, "output": _rounded(np.asarray(forecast["co2"]))},
    )


def _dates() -> Made:
    parts = made_dates()
    model = seqloom.Seq2Seq(
        model="gru",
        level="char",
        units=64,
        embedding_size=24,
        dropout=0.0,
        beams=1,
        epochs=6,
        batch_size=64,
        learning_rate=0.003,
        warmup_steps=100,
        seed=0,
    )
    model.fit(*parts["train"], valid=parts["valid"])
    memory = seqloom.Seq2Seq(model="memory", level="char").fit(*parts["train"])
    plain = memory.evaluate(*parts["test"]).scores["exact_match"]
    found = {part: model.evaluate(*parts[part]).scores["exact_match"] for part in ("test", "new")}
    example = ["5 March 2024", "the 21st of December, 1999"]
    return Made(
        model=model,
        title="Dates in twenty spellings to ISO 8601",
        architecture="bidirectional GRU encoder, GRU(64) decoder with additive attention, by character",
        data="20,000 dates of 1900 to 2099 in twenty English spellings",
        licence=_MADE,
        scores=[
            Score("exact match", 100 * found["test"], "dates never seen", {"translation memory": 100 * plain}, " %"),
            Score("exact match", 100 * found["new"], "two spellings never seen", unit=" %"),
        ],
        limits=[
            "English names of months and days, years of four digits from 1900 to 2099.",
            "It answers everything with a date, also what is none; spellings beside the twenty may be misread.",
        ],
        tries=["seqloom predict zoo:dates --text '5 March 2024'"],
        example={"input": example, "output": model.predict(example)},
    )


def _spam() -> Made:
    texts = read_named_text("sms_spam", "all")
    assert isinstance(texts, LabelledTexts)
    words, labels = list(texts.texts), list(texts.labels or ())
    train, valid, test = split_examples(len(words), 0.1, 0.2, seed=0, strata=labels, groups=words)

    def of(rows: np.ndarray) -> tuple[list[str], list[str]]:
        return [words[row] for row in rows], [labels[row] for row in rows]

    model = seqloom.TextClassifier(
        model="gru", max_words=2500, embedding_size=24, units=32, dropout=0.3, epochs=12, positive="spam", seed=0
    )
    model.fit(*of(train), valid=of(valid))
    bow = seqloom.TextClassifier(model="bow", positive="spam").fit(*of(train), valid=of(valid))
    found, plain = model.evaluate(*of(test)).scores["f1"], bow.evaluate(*of(test)).scores["f1"]
    example = ["WINNER!! Claim your free prize now, call 09061701461", "are you home for dinner tonight?"]
    return Made(
        model=model,
        title="Spam in short messages",
        architecture="2,500 words, embedding 24, GRU(32)",
        data="SMS Spam Collection v.1: 5,574 messages in English (Almeida, Gómez Hidalgo and Yamakami 2011)",
        licence="CC BY 4.0 (UCI Machine Learning Repository); the vocabulary of the model comes from it",
        scores=[
            Score("F1 (spam)", found, "a held-out 20 %; duplicates never cross the split", {"bag of words": plain})
        ],
        limits=[
            "British and Singaporean text messages of about 2005; spam looks different today.",
            "English only; nobody should be blocked by it unseen.",
        ],
        tries=["seqloom predict zoo:spam --text 'WINNER!! Claim your free prize now'"],
        example={"input": example, "output": [str(label) for label in model.predict(example)]},
    )


def _assistant() -> Made:
    parts = {part: made_sentences(count, part) for part, count in (("train", 4000), ("valid", 500), ("test", 1000))}
    model = seqloom.SequenceTagger(model="bilstm", embedding_size=24, units=32, word_dropout=0.2, epochs=8, seed=0)
    model.fit(*parts["train"], valid=parts["valid"])
    plain = seqloom.SequenceTagger(model="frequent").fit(*parts["train"])
    found, beside = (each.evaluate(*parts["test"]).scores["f1"] for each in (model, plain))
    example = ["call nora at half past eight", "find a train from marton to ostby on monday"]
    return Made(
        model=model,
        title="Names, times, places and things in requests to an assistant",
        architecture="embedding 24, bidirectional LSTM(32)",
        data="4,000 sentences of 26 templates with made names",
        licence=_MADE,
        scores=[Score("span F1", found, "1,000 sentences with names never seen", {"most frequent tag": beside})],
        limits=[
            "It knows sentences like those of its templates; free speech is another matter.",
            "Lower case without punctuation, English.",
        ],
        tries=["seqloom predict zoo:assistant --text 'call nora at half past eight'"],
        example={"input": example, "output": [" ".join(tags) for tags in model.predict([t.split() for t in example])]},
    )


def _shakespeare() -> Made:
    corpus = read_named_text("tinyshakespeare", "all")
    assert isinstance(corpus, Corpus)
    text = corpus.text
    train, valid, test = (text[int(a * len(text)) : int(b * len(text))] for a, b in ((0, 0.9), (0.9, 0.95), (0.95, 1)))
    model = seqloom.LanguageModel(
        model="gru",
        level="char",
        units=150,
        layers=1,
        embedding_size=32,
        tied=False,
        input_dropout=0.0,
        recurrent_dropout=0.05,
        output_dropout=0.0,
        epochs=25,
        batch_size=32,
        window=64,
        learning_rate=0.004,
        seed=0,
    )
    model.fit(train, valid=valid)
    bigram = seqloom.LanguageModel(model="bigram", level="char").fit(train)
    found, plain = (each.evaluate(test).scores["bits"] for each in (model, bigram))
    return Made(
        model=model,
        title="Shakespeare, character by character",
        architecture="embedding 32, GRU(150)",
        data="Tiny Shakespeare: 1.1 million characters of the plays, the first 90 % to train on",
        licence="public domain",
        scores=[Score("entropy", found, "the last 5 %", {"bigrams": plain}, " bits per character")],
        limits=["It writes words and lines that look like a play; there is no sense in them.", "65 characters, ASCII."],
        tries=["seqloom generate zoo:shakespeare --prompt 'ROMEO:' --temperature 0.5 --seed 5"],
        example={"input": "ROMEO:", "output": model.generate("ROMEO:", 80, temperature=0.0)},
    )


def _digits() -> Made:
    (x, y), (x_test, y_test) = load_mnist("train"), load_mnist("test")
    model = seqloom.SequenceClassifier(
        model="tcn",
        units=25,
        levels=8,
        kernel_size=7,
        dropout=0.05,
        scaling="none",
        epochs=8,
        batch_size=64,
        learning_rate=0.002,
        schedule="cosine",
        clip_norm=None,
        seed=0,
    )
    model.fit(x[:55_000], y[:55_000], valid=(x[55_000:], y[55_000:]))
    right = 100 * float(np.mean(model.predict(x_test) == y_test))
    most = 100 * float(np.mean(y_test == np.bincount(y).argmax()))
    pixels = np.rint((x_test[0, :, 0] * 0.3081 + 0.1307) * 255).astype(int).tolist()
    return Made(
        model=model,
        title="Handwritten digits, read pixel by pixel",
        architecture="TCN, 8 levels of 25 channels, kernel 7, receptive field 3,061",
        data="MNIST (LeCun, Cortes and Burges): 55,000 training images, 784 pixels row by row",
        licence="CC BY-SA 3.0",
        scores=[Score("accuracy", right, "the 10,000 test images", {"majority class": most}, " %")],
        limits=[
            "28 × 28 grey pixels p, light on dark, the digit centred, given as (p/255 − 0.1307)/0.3081.",
            "It answers everything with a digit.",
        ],
        tries=["seqloom inspect zoo:digits"],
        example={"input": pixels, "output": int(y_test[0])},
    )


def _spoken() -> Made:
    def numbers(draw: np.random.Generator) -> str:
        return " ".join(DIGITS[n] for n in draw.integers(len(DIGITS), size=int(draw.integers(1, 8))))

    sizes = {"train": 4_000, "valid": 100, "test": 300}
    parts = {part: spoken(part, size, numbers, "zoo") for part, size in sizes.items()}
    model = seqloom.Transcriber(
        model="conv-gru",
        level="word",
        channels=(32, 48, 64),
        units=64,
        dropout=0.2,
        input_dropout=0.1,
        recurrent_dropout=0.1,
        band_mask=10,
        learning_rate=0.004,
        epochs=22,
        seed=0,
    )
    model.fit(*parts["train"], valid=parts["valid"])
    plain = seqloom.Transcriber(model="nearest", level="word").fit(*parts["train"], valid=parts["valid"])
    found, beside = (100 * each.evaluate(*parts["test"]).scores["wer"] for each in (model, plain))
    # The shortest recording of the test that it writes rightly: a file of some kilobytes.
    said = model.predict(parts["test"][0])
    right = [n for n, text in enumerate(said) if text == parts["test"][1][n]]
    sound = parts["test"][0][min(right, key=lambda n: len(parts["test"][0][n].samples))]
    sound = _as_in_a_file(sound)
    return Made(
        model=model,
        title="Spoken digits, one to seven in a row",
        architecture="40 log-mel bands, three convolutions, bidirectional GRU(64), CTC",
        data="4,000 recordings of English digits made by espeak-ng in several voices, speeds and pitches, with noise",
        licence=_MADE,
        scores=[Score("word error rate", found, "voices never heard", {"nearest recording": beside}, " %")],
        limits=[
            f"A made voice at {sound.rate:,} samples a second; people speak otherwise, and were never heard.",
            "English digits alone, up to seven; reading WAV files needs the extra speech.",
        ],
        tries=["seqloom inspect zoo:spoken-digits"],
        example={"input": "example.wav", "output": model.predict([sound])},
        files={"example.wav": _wav(sound)},
    )


def _as_in_a_file(sound: Sound) -> Sound:
    """The sound with samples of 16 bits."""
    if sound.samples.dtype == np.int16:
        return sound
    return Sound(np.rint(np.clip(sound.samples, -1, 1) * 32767).astype(np.int16), sound.rate)


def _wav(sound: Sound) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, sound.rate, 0, "NONE", ""))
        file.writeframes(sound.samples.astype("<i2").tobytes())
    return buffer.getvalue()


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in np.asarray(values).ravel()]


MAKERS: Mapping[str, Callable[[], Made]] = {
    "assistant": _assistant,
    "co2": _co2,
    "dates": _dates,
    "digits": _digits,
    "shakespeare": _shakespeare,
    "sine": _sine,
    "spam": _spam,
    "spoken-digits": _spoken,
}
"""Name → what makes the model."""
