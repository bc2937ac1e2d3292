"""The table of parameters: each one's constraint, default, one-line help, panel, unit, and where its name comes from.

The estimators check their parameters against it, the command line makes its options and their help of it, and
docs/glossary.md lists it; a test holds signatures to it. Nothing heavy is imported, so that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..limits import LARGEST
from .cell_parameters import CELL
from .constraints import (
    COUNT,
    DEPTH,
    MOST_ROWS,
    TAPS,
    WIDTH,
    AnyOf,
    Anything,
    Boolean,
    ClassWeights,
    Constraint,
    Labels,
    Numeric,
    OneOf,
    OneOrMore,
    Span,
    SplitSizes,
    Text,
)
from .embedding_parameters import EMBEDDING
from .language_parameters import LANGUAGE
from .parameter import Parameter
from .translation_parameters import SEQ2SEQ, SEQ2SEQ_CHANGES, TRANSLATION

__all__ = ["ESTIMATORS", "PARAMETERS", "TRAINING", "Parameter", "constraints_of"]


_OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd", "nt-asgd")
_SCHEDULES = ("constant", "cosine", "step", "plateau")
_SHARE = Numeric(0, 1, open_high=True)
_STRENGTH = Numeric(0, LARGEST)
_ABOVE_0 = Numeric(0, LARGEST, open_low=True)
_GAL = "Gal & Ghahramani (2016), arXiv 1512.05287"
_TEXT_FEATURES = "scikit-learn: TfidfVectorizer"


def _optional(constraint: Any) -> Any:
    return replace(constraint, optional=True)


def _penalty(group: str, norm: str) -> Parameter:
    words = f"L{norm} penalty on the {group} weights" if group != "bias" else f"L{norm} penalty on the biases"
    return Parameter(f"{group}_l{norm}", _STRENGTH, 0.0, words, "Training", source="Keras: kernel_regularizer")


_P = Parameter
# fmt: off
_TASK = (
    _P("lookback", Span(optional=True), None, "Lookback: how far back the models see, such as 5d, or a number of rows",
       "Task", shown="by frequency"),
    _P("horizon", Span(optional=True), None, "Forecast horizon: how far ahead, such as 24h, or a number of rows",
       "Task", shown="by frequency"),
    _P("every", Span(), 1, "Use every N-th row, or one row per duration, as input and as target", "Task"),
    _P("at", OneOf(("path", "last")), "path", "path: every step up to the horizon; last: the horizon alone", "Task"),
    _P("season", Span(optional=True, fractional=True), None, "Season length in rows (need not be whole) or time",
       "Task"),
    _P("split", SplitSizes(), (0.7, 0.15), "Shares (or rows) to train and validate on, in time order; the rest tests",
       "Task", "TRAIN,VALID", source="scikit-learn: train_test_split(shuffle=False)"),
    _P("refit", Boolean(), False, "Fit once more on all rows, those that validated and tested too, for the forecasts",
       "Models"),
    _P("score_last", _optional(COUNT), None, "Score only the last N steps of each sequence", shown="all steps"),
    _P("kind", OneOf(("label", "value", "binary", "keys")), "value", "What is predicted at every step", "Task"),
    _P("classes", Labels(), None, "The labels, where the training sequences don't hold them all", "Task"),
    _P("positive", Anything(), None, "Positive class of two, for F1, precision and recall", "Task", "LABEL",
       "the second"),
    _P("level", OneOf(("word", "char")), "word", "Tokens: word (<eos> after each line) or char", "Data"),
)
_DATA = (
    _P("missing", AnyOf(Numeric(), "a list of numbers"), (), "Numbers that stand for a missing value, such as -9999",
       "Data", "V,W,…"),
    _P("max_fill", replace(COUNT, low=0), 24, "Longest gap that is filled forward", "Data", "ROWS",
       source="pandas: ffill(limit=)"),
    _P("zone", Text("the name of a time zone", optional=True), None, "Time zone of the times, such as Europe/Berlin",
       "Data", "ZONE", flag="--time-zone"),
    _P("time_format", Text("the form of the times", optional=True), None,
       "Form of the times: dmy, mdy, ymd, ym, or as '%d/%m/%y %H:%M'", "Data", "FORM", "found out",
       source="pandas: to_datetime(format=)"),
    _P("resample", Text("the length of a step", optional=True), None,
       "Resample: put the rows of each step together, such as 10min, 1h, 1d, 1w or 1mo", "Data", "STEP", "as they are",
       source="pandas: DataFrame.resample"),
    _P("aggregate", Text("how rows are aggregated"), "mean",
       "Aggregate of resampled rows: mean, sum, last, first, min or max; also by column, as load=sum,temp=mean", "Data",
       "HOW", source="pandas: DataFrame.agg"),
    _P("duplicates", OneOf(("mean", "first", "last", "sum"), optional=True), None,
       "What rows of one time become: their mean, first, last or sum", "Data", "HOW", "refused where they differ",
       source="pandas: drop_duplicates(keep=)"),
    _P("fill", OneOf(("carry", "interpolate", "season", "none")), "carry",
       "What missing values are filled with: the value before (carry), a line, the value a season before, or nothing",
       "Data", "HOW", source="pandas: DataFrame.interpolate"),
    _P("fill_future", OneOf(("carry",), optional=True), None,
       "What stands in rows to be forecast where a column known in advance lacks a value: carry, the last known one",
       "Data", "HOW", "refused"),
    _P("non_negative", Boolean(optional=True), None, "Hold forecasts and intervals at 0 or above", "Task",
       shown="where the training rows are counts", flag="--non-negative/--allow-negative"),
    _P("categories", AnyOf(Text("the name of a column"), "a list of columns"), (),
       "Columns of codes that are read as words, one input for each; texts of few words are so anyway", "Task",
       "A,B,…", "texts of few words", source="pandas: get_dummies(columns=)"),
    _P("static", AnyOf(Text("the name of a column"), "a list of columns"), (),
       "Columns of one value within each series, known in the rows ahead", "Task", "A,B,…", "found out",
       source="Lim et al. (2021), static covariates"),
    _P("max_words", _optional(COUNT), None, "Vocabulary size: the most frequent words; others are unknown", shown="all",
       source=f"{_TEXT_FEATURES}(max_features=)"),
    _P("min_count", COUNT, 1, "Words that occur less often are unknown", source="gensim: Word2Vec(min_count=)"),
    _P("lower", Boolean(), True, "Lower-case the words", source=f"{_TEXT_FEATURES}(lowercase=)"),
    _P("digits", Boolean(), True, "Treat all digits alike"),
    _P("long_numbers", Boolean(), False, "Tell numbers of three digits and more apart, not only their lengths"),
    _P("punctuation", Boolean(optional=True), None, "Let networks read the marks ! ? . : / * $ £ € as words",
       shown="recurrent ones"),
    _P("max_length", COUNT, 400, "Words of a text that networks read", source="Hugging Face: tokenizer(max_length=)"),
    _P("keep", OneOf(("last", "first")), "last", "End of a longer text that is kept",
       source="Keras: pad_sequences(truncating=)"),
    _P("min_df", Numeric(0, MOST_ROWS), 1, "Texts that a word must stand in at least, as a number or a share",
       source=f"{_TEXT_FEATURES}(min_df=)"),
    _P("max_df", Numeric(0, MOST_ROWS, open_low=True), 1.0, "Texts that a word may stand in at most",
       source=f"{_TEXT_FEATURES}(max_df=)"),
    _P("weighting", OneOf(("binary", "count", "frequency", "tfidf", "tfidf-log")), "tfidf",
       "Term weighting of the bag of words", source="Keras: TextVectorization(output_mode=)"),
    _P("context", Numeric(0, 1000, whole=True), 1, "Context window: neighbouring words on each side that a step sees"),
)
_NETWORK = (
    _P("model", Text("the name of a model"), "gru", "Models to compare", unit="A,B,…"),
    _P("members", AnyOf(Text("the name of a model"), "a list of models"), (),
       "Models that an ensemble chooses from; gru@1 is a gru with the seed + 1", unit="A,B,…",
       shown="all others",
       source="Bates & Granger (1969)"),
    _P("anchor", OneOf(("last", "seasonal", "none", "auto")), "last",
       "What a network's output is added to: last, seasonal, none, or auto (tries each)"),
    _P("normalise", OneOf(("last", "standard", "seasonal", "none"), optional=True), None,
       "Window normalisation: each window relative to its last value, mean and deviation (standard) or last season",
       shown="last; of several series standard; none where --future suits it, or with the anchor none",
       source="Kim et al. (2022), RevIN; Zeng et al. (2023), NLinear"),
    _P("transform", OneOf(("log", "box-cox"), optional=True), None, "Transform of the target: log or box-cox",
       shown="none", source="Box & Cox (1964)"),
    _P("patch", Numeric(1, MOST_ROWS, whole=True, optional=True), None,
       "Steps that a recurrent network reads as one", shown="1 up to 48 steps, else about an eighth of them",
       source="Nie et al. (2023), PatchTST"),
    _P("linear_skip", Boolean(), True, "A linear path beside each network", flag="--linear-skip/--no-linear-skip",
       source="Lai et al. (2018), the linear part of LSTNet"),
    _P("cell", OneOf(("rnn", "gru", "lstm")), "gru", "Cell of the encoder-decoder: rnn, gru or lstm",
       source="GluonTS, DeepAR: cell_type"),
    _P("attention", Boolean(), False, "Additive attention of the encoder-decoder over the encoder's outputs",
       source="Bahdanau et al. (2015), arXiv 1409.0473"),
    _P("holidays", Text("countries or exchanges, such as DE, DE-BY or NYSE", optional=True), None,
       "Holidays as inputs known in advance: countries or exchanges, such as DE, DE-BY,FR or NYSE", "Data", "PLACES",
       "none", source="the holidays package"),
    _P("calendar", Boolean(), False, "Add calendar features: time of day, of week and of year"),
    _P("missing_flags", Boolean(), True, "Give networks a flag of each missing input and the time since its last value",
       flag="--missing-flags/--no-missing-flags",
       source="scikit-learn: SimpleImputer(add_indicator=)"),
    _P("scaling", OneOf(("pooled", "series"), optional=True), None, "Standardise the inputs",
       shown="one series pooled; several, each by its own rows",
       source="scikit-learn: StandardScaler"),
    _P("target_scaling", OneOf(("standard", "none")), "standard", "Standardise the targets",
       source="scikit-learn: TransformedTargetRegressor"),
    _P("units", WIDTH, 32, "Hidden units per layer", source="PyTorch: hidden_size"),
    _P("layers", DEPTH, 1, "Hidden layers", source="PyTorch: num_layers"),
    _P("bidirectional", Boolean(), False, "Read in both directions (recurrent models)",
       source="Schuster & Paliwal (1997)"),
    _P("reverse", Boolean(), False, "Read from the end to the beginning (rnn, gru, lstm)",
       source="Keras: go_backwards"),
    _P("activation", OneOrMore(Text("the name of an activation", optional=True)), None,
       "Activation function, or one for each layer: tanh,relu", unit="NAME[,…]", shown="the model's own"),
    _P("input_dropout", _SHARE, 0.0, "Variational dropout of the inputs, one mask per sequence", source=_GAL),
    _P("recurrent_dropout", _SHARE, 0.0, "Variational dropout of the recurrent state, one mask per sequence",
       source=_GAL),
    _P("between_dropout", _SHARE, 0.0, "Dropout between hidden layers", source="PyTorch: dropout of torch.nn.LSTM"),
    _P("output_dropout", _SHARE, 0.0, "Variational dropout of the outputs", source=_GAL),
    _P("embedding_dropout", _SHARE, 0.0, "Embedding dropout: share of words dropped", source=_GAL),
    _P("weight_dropout", _SHARE, 0.0, "DropConnect: share of recurrent weights dropped",
       source="Merity et al. (2017), arXiv 1708.02182"),
    _P("layer_norm", Boolean(), False, "Layer normalisation inside the recurrent cells (rnn, gru, lstm)",
       source="Ba et al. (2016), arXiv 1607.06450"),
    _P("zoneout", _SHARE, 0.0, "Zoneout: probability that a unit of a recurrent cell keeps its value",
       source="Krueger et al. (2017), arXiv 1606.01305"),
    _P("peephole", Boolean(), False, "Peepholes: gates of an lstm that see its memory cell",
       source="Gers & Schmidhuber (2000)"),
    _P("coupled", Boolean(), False, "Coupled gates: an lstm forgets as much as it takes in",
       source="Greff et al. (2017), arXiv 1503.04069"),
    _P("word_dropout", _SHARE, 0.0, "Word dropout: share of training words made unknown", source="Iyyer et al. (2015)"),
    _P("dropout", _SHARE, 0.0, "Dropout of the features", source="Srivastava et al. (2014)"),
    _P("channels", AnyOf(WIDTH, "a list of one or more", least=1, optional=True), None,
       "Channels of each convolution or TCN level", unit="N,M,…", source="PyTorch: out_channels"),
    _P("kernel_size", TAPS, 5, "Kernel size of the convolutions", source="PyTorch: kernel_size"),
    _P("dilation", _optional(COUNT), None, "Dilation base: taps stand dilation⁰, dilation¹, … steps apart",
       source="PyTorch: dilation"),
    _P("pool_size", TAPS, 1, "Max-pooling size, in steps", source="PyTorch: torch.nn.MaxPool1d(kernel_size)"),
    _P("pooling", OneOf(("last", "mean", "max", "attention")), "last", "Pooling over the steps"),
    _P("pool", OneOf(("last", "mean", "max", "attention")), None, "Pooling over the words"),
    _P("hidden", replace(WIDTH, low=0), None, "Units of a dense layer before the output; 0 for none"),
    _P("embedding_size", WIDTH, 100, "Embedding dimension", source="PyTorch: embedding_dim"),
    _P("embeddings", Anything(), None, "Pretrained embeddings: GloVe text, word2vec text or binary", unit="FILE",
       shown="none"),
    _P("freeze", Boolean(), False, "Freeze the pretrained embeddings",
       source="PyTorch: Embedding.from_pretrained(freeze=)"),
    _P("tied", Boolean(), True, "Tie the weights of the output layer to the embedding", flag="--tied/--untied",
       source="Press & Wolf (2017), arXiv 1608.05859"),
    _P("crf", Boolean(), False, "Conditional random field over the tags", source="Lafferty et al. (2001)"),
    _P("window", COUNT, 35, "Backpropagation window (BPTT), in tokens", source="PyTorch examples: bptt"),
    _P("scored", _optional(COUNT), None, "Train on overlapping windows, scored on their last N tokens",
       shown="streams, the state carried"),
    _P("strength", _ABOVE_0, 1.0, "Inverse regularisation strength C", source="scikit-learn: LogisticRegression(C=)"),
    _P("trees", Numeric(1, 10**5, whole=True), 100, "Trees of the random forest", source="scikit-learn: n_estimators"),
)
_LEARNING = (
    *(_penalty(group, norm) for group in ("input", "recurrent", "bias") for norm in "12"),
    _P("loss", OneOf(("mse", "mae", "huber")), "mse", "Training loss", "Training",
       source="PyTorch: MSELoss, L1Loss, HuberLoss"),
    _P("quantile", Numeric(0, 1, open_low=True, open_high=True), 0.5, "Quantile of the quantile (pinball) loss",
       "Training", source="scikit-learn: QuantileRegressor(quantile=)"),
    _P("solver", OneOf(("ridge", "gradient"), optional=True), None,
       "Linear forecasters: ridge (closed form, then gradient steps unless the loss is mse) or gradient",
       "Training", shown="ridge where --epochs is not given", source="scikit-learn: RidgeCV"),
    _P("distribution", OneOf(("normal", "student-t", "negative-binomial", "tweedie"), optional=True), None,
       "Forecast distribution of the networks, trained by its likelihood in place of the loss", "Training", "NAME",
       "a number", source="Salinas et al. (2020), DeepAR"),
    _P("reduction", OneOf(("mean", "sum")), "mean", "Reduction of the loss over steps", "Training",
       source="PyTorch: reduction"),
    _P("class_weight", ClassWeights(), None, "Class weights: balanced weighs classes equally", "Training", "NAME",
       "none", source="scikit-learn: class_weight"),
    _P("calibrate", Boolean(), True, "Calibrate the probabilities (temperature scaling)", "Training",
       source="Guo et al. (2017), arXiv 1706.04599"),
    _P("epochs", Numeric(1, 10**6, whole=True), 20, "Training epochs", "Training"),
    _P("steps_per_epoch", Numeric(1, 10**8, whole=True, optional=True), None, "Batches per epoch", "Training",
       shown="one pass over the data", source="Keras: steps_per_epoch"),
    _P("batch_size", Numeric(1, 10**8, whole=True), 32, "Batch size", "Training", source="Keras, PyTorch: batch_size"),
    _P("learning_rate", _ABOVE_0, 1e-3, "Learning rate", "Training", source="PyTorch: lr"),
    _P("optimizer", OneOf(_OPTIMIZERS), "adam", "Optimizer", "Training", source="PyTorch: torch.optim"),
    _P("weight_decay", _STRENGTH, 0.0, "Weight decay", "Training", source="PyTorch: weight_decay"),
    _P("clip_norm", _optional(_ABOVE_0), 1.0, "Maximum gradient norm (clipping)", "Training",
       source="PyTorch: torch.nn.utils.clip_grad_norm_"),
    _P("clip_value", _optional(_ABOVE_0), None, "Maximum gradient element (clipping)", "Training", shown="none",
       source="PyTorch: torch.nn.utils.clip_grad_value_"),
    _P("schedule", OneOf(_SCHEDULES), "constant", "Learning rate schedule", "Training",
       source="PyTorch: torch.optim.lr_scheduler"),
    _P("warmup_steps", Numeric(0, 10**12, whole=True), 0, "Steps of linear learning rate warm-up", "Training",
       source="Hugging Face: warmup_steps"),
    _P("patience", Numeric(1, 10**6, whole=True, optional=True), None,
       "Early stopping: stop after N epochs without a better validation score", "Training", shown="never stop early",
       source="Keras: EarlyStopping(patience=)"),
    _P("smooth_monitor", _SHARE, 0.0,
       "Early stopping looks at the validation score smoothed with this weight of the past", "Training",
       source="TensorBoard: smoothing"),
    _P("average_weights", _optional(Numeric(0, 1, open_low=True, open_high=True)), None,
       "Evaluate and keep an exponential moving average of the weights, with this decay", "Training", "DECAY",
       "the weights themselves", source="Polyak & Juditsky (1992); Keras: ema_momentum"),
    _P("validation_fraction", _SHARE, 0.1, "Share of the training data held out for validation", "Training",
       source="scikit-learn: validation_fraction"),
    _P("time_limit", Numeric(0, 10**9, open_low=True), 30.0,
       "Most work of a statistical method, counted in units of about a second", "Training", "UNITS"),
    _P("seed", Numeric(0, 2**63 - 1, whole=True), 0, "Random seed: same seed, same threads, same bytes", "Training",
       source="scikit-learn: random_state"),
)
# fmt: on

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {p.name: p for p in (*_TASK, *_DATA, *_NETWORK, *_LEARNING, *LANGUAGE, *EMBEDDING, *TRANSLATION)}
)
"""Every parameter by name, as most estimators have it."""

_TRAINING = (
    "epochs steps_per_epoch batch_size optimizer learning_rate weight_decay clip_norm clip_value schedule warmup_steps"
    " patience smooth_monitor average_weights"
)
TRAINING = (*_TRAINING.split(), "seed")
"""What every estimator that trains has."""

_CELL = " ".join(CELL)
_RECURRENT = f"units layers bidirectional reverse activation input_dropout recurrent_dropout between_dropout {_CELL}"
_BODY = f"{_RECURRENT} levels channels kernel_size dilation dropout"
_EACH_LAYER = {"constraint": OneOrMore(WIDTH), "help": "Hidden units per layer, or of each: 32,64", "unit": "N[,M,…]"}
_LEVELS = _P(
    "levels", Numeric(1, 30, whole=True, optional=True), None, "Convolutional levels", shown="as many as needed"
)


def _table(names: str, optional: str = "", **changes: Any) -> Mapping[str, Parameter]:
    """The parameters `names` in order; changes are defaults or fields of an entry; those of `optional` may be None."""
    found = {}
    for name in names.split():
        change = changes.pop(name, {})
        entry = change if isinstance(change, Parameter) else PARAMETERS[name]
        if name in optional.split():
            entry = replace(entry, constraint=_optional(entry.constraint), default=None, shown="the model's own")
        if isinstance(change, dict):
            found[name] = replace(entry, **change)
        else:
            found[name] = entry if isinstance(change, Parameter) else replace(entry, default=change)
    return MappingProxyType(found)


def _sequence_table(names: str, own: str = "") -> Mapping[str, Parameter]:
    return _table(
        f"{names} scaling {own} validation_fraction {_TRAINING} seed",
        levels=_LEVELS,
        units=_EACH_LAYER,
        scaling={"constraint": OneOf(("standard", "none")), "default": "standard"},
        validation_fraction=0.2,
        channels={"constraint": AnyOf(WIDTH, "a list of widths, one for each level", optional=True, least=1)},
    )


_HELD_OUT = Numeric(0, 1, open_low=True, open_high=True)

ESTIMATORS: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {
        "Forecaster": _table(
            f"model members lookback horizon every at anchor normalise transform season calendar holidays missing_flags"
            f" scaling {_RECURRENT} channels"
            " kernel_size pool_size pooling patch linear_skip cell attention"
            " input_l1 input_l2 recurrent_l1 recurrent_l2 bias_l1 bias_l2 loss quantile distribution"
            f" {_TRAINING} solver split levels refit missing max_fill zone time_format resample aggregate duplicates"
            " fill non_negative fill_future categories static time_limit seed",
            optional="kernel_size epochs batch_size learning_rate schedule warmup_steps",
            units=_EACH_LAYER,
            pool_size=3,
            loss={"constraint": OneOf(("mae", "mse", "huber", "quantile", "quantiles")), "default": "mae"},
            levels=_P(
                "levels",
                AnyOf(Numeric(0, 100, open_low=True, open_high=True), "a list of percentages"),
                (80, 95),
                "Prediction intervals: their nominal coverage, in percent",
                "Task",
                "P,Q,…",
                flag="--level",
                source="Vovk et al. (2005), conformal prediction",
            ),
        ),
        "SequenceClassifier": _sequence_table(f"model {_BODY} pool_size pooling class_weight"),
        "SequenceRegressor": _sequence_table(f"model {_BODY} pool_size pooling loss", "target_scaling"),
        "FrameModel": _sequence_table(f"model kind {_BODY} loss reduction score_last classes", "target_scaling"),
        "TextClassifier": _table(
            "model max_words min_count lower long_numbers punctuation max_length keep embedding_size embedding_dropout"
            " embeddings freeze units layers kernel_size pool hidden dropout input_dropout recurrent_dropout"
            f" between_dropout {_CELL} weighting min_df max_df strength trees {_TRAINING} validation_fraction"
            " class_weight calibrate positive seed",
            optional="embedding_size embedding_dropout units kernel_size pool hidden dropout epochs batch_size"
            " learning_rate",
            max_words={"shown": "the model's own"},
            patience=3,
            class_weight={"constraint": Anything(), "unit": "balanced|L=W,…"},
        ),
        "SequenceTagger": _table(
            "model context crf embedding_size units layers word_dropout dropout input_dropout recurrent_dropout"
            f" {_CELL} lower digits min_count validation_fraction {_TRAINING} seed",
            model="bilstm",
            units=100,
            word_dropout=0.05,
            dropout=0.3,
            input_dropout=0.3,
            validation_fraction={"constraint": _HELD_OUT},
            epochs=30,
            batch_size=16,
            learning_rate=0.002,
            clip_norm=5.0,
            schedule="cosine",
        ),
        "LanguageModel": _table(
            "model level join_spaced max_words min_count units layers kernel_size embedding_size tied softmax cutoffs"
            " embedding_dropout input_dropout recurrent_dropout between_dropout"
            f" {_CELL} output_dropout hidden_dropout activation_penalty temporal_penalty window vary_window scored"
            " scoring cache cache_weight cache_flatness dynamic_rate"
            f" validation_fraction {_TRAINING} averaging_patience seed",
            model="lstm",
            max_words={"panel": "Data"},
            min_count={"panel": "Data"},
            units=200,
            layers=2,
            kernel_size=3,
            embedding_size={"constraint": _optional(WIDTH), "default": None, "shown": "as --units"},
            input_dropout=0.2,
            recurrent_dropout=0.2,
            output_dropout=0.2,
            validation_fraction={"constraint": _HELD_OUT},
            epochs=10,
            batch_size=20,
            learning_rate=0.003,
            schedule="cosine",
        ),
        "WordEmbedder": _table(
            "model embedding_size window negatives subsample x_max max_words min_count lower epochs learning_rate seed",
            optional="epochs learning_rate",
            model="skip-gram",
            window={
                "default": 5,
                "constraint": Numeric(1, 1000, whole=True),
                "help": "Window of word vectors: words on each side, at most",
                "source": "gensim: Word2Vec(window=)",
            },
            max_words={"panel": "Data"},
            min_count={"panel": "Data", "default": 5},
            lower={"panel": "Data"},
            epochs={"shown": "5, glove 25"},
            learning_rate={"shown": "0.025, cbow and glove 0.05"},
        ),
        "Seq2Seq": _table(f"{SEQ2SEQ} {_TRAINING} seed", **SEQ2SEQ_CHANGES),
    }
)
"""The parameters of each estimator by the name of its class, in the order of its signature."""


def constraints_of(estimator: str, **own: Constraint) -> dict[str, Constraint]:
    """The constraints of an estimator's parameters; `own` are those whose values a registry lists.

    >>> constraints_of("LanguageModel")["level"].words
    'one of word, char'
    """
    return {name: own.get(name, entry.constraint) for name, entry in ESTIMATORS[estimator].items()}
