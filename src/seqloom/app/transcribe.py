"""`seqloom transcribe`: recordings and what is said in them, models compared, the best saved, a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from seqloom_runtime.errors import SettingError

from . import options as o
from .estimators import build_estimators, model_names, required_data, shares_of
from .every_option import reaches
from .flags import told
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import TEXT_FORM, FormOptions, text_form

__all__ = ["TranscribeSettings", "predict_file", "transcribe"]

_BASELINE = "nearest"


@reaches("Transcriber")
class TranscribeSettings(o.Asked):
    """Everything that decides what a comparison of transcribers computes."""

    options = (
        *o.parts("RECORDINGS", "0.1"),
        o.reading("audio", "Column of the paths of the WAV files.", shown="path, file, …, else the first"),
        o.reading("text", "Column of what is said.", shown="text, transcript, …, else the second"),
        o.reading(
            "speaker",
            "Column of who speaks: the sounds of one stay in one part; none to split them all the same.",
            shown="speaker, voice, …, where there is one",
        ),
        *TEXT_FORM,
        *o.from_table(
            "Transcriber",
            "sample_rate convert_rate mels level channels kernel_size pool_size units layers bidirectional dropout"
            " input_dropout recurrent_dropout between_dropout beams language_model language_weight",
        ),
        *o.from_table("Transcriber", o.TRAINING),
        o.THREADS,
        o.argument("RECORDINGS", "A table of paths of WAV files and what is said in each, or their folder."),
        o.models(
            "Transcriber",
            "conv-gru",
            "conv-gru, rnn, gru, lstm",
            "nearest (the text of the training sound that is most alike)",
        ),
    )


def _prepare(settings: TranscribeSettings) -> Prepared:
    from seqloom_runtime.data.speech import read_recordings
    from seqloom_runtime.extras import need

    from ..tasks import Transcriber
    from ..tasks.comparison import compare_models

    models = model_names(settings.model, _BASELINE)
    estimators = build_estimators(Transcriber, models, o.parameters_of(settings, "Transcriber"))
    path = required_data(settings.data)
    for module in ("soundfile", "kaldi_native_fbank", "jiwer"):
        need(module, "seqloom transcribe")
    how = {name: getattr(settings, name) for name in ("audio", "text", "speaker")}
    how |= {option.name: getattr(settings, option.name) for option in TEXT_FORM}
    shares = shares_of(settings)
    files = {name: read_recordings(getattr(settings, name), **how) for name, share in shares.items() if share is None}
    recordings = read_recordings(path, **how)
    parts, rows, notes = _parts(recordings, files, shares, settings.seed, path)
    compare = partial(
        compare_models,
        "transcribe",
        estimators,
        parts,
        baseline=_BASELINE,
        target=settings.text or "text",
        rows=rows,
        unit="sound",
        source={"source": path, **{name: getattr(settings, name) for name in files}},
        seed=settings.seed,
    )
    return Prepared(compare, [*told(recordings.decisions, "transcribe"), *notes])


def _parts(
    recordings: Any, files: Mapping[str, Any], shares: Mapping[str, float | None], seed: int, path: str
) -> tuple[dict[str, Any], dict[str, list[int]], list[str]]:
    """Train, valid and test as sounds and texts, their lines, and notes; a speaker stays in one part."""
    from seqloom_runtime.data.parts import split_examples

    drawn = {name: share or 0.0 for name, share in shares.items()}
    places = dict(
        zip(
            ("train", "valid", "test"),
            split_examples(len(recordings), drawn["valid"], drawn["test"], seed=seed, groups=recordings.speakers),
        )
    )
    parts, rows = {}, {}
    for name, own in places.items():
        found = files.get(name, recordings)
        chosen: Sequence[int] = range(len(found)) if name in files else own.tolist()
        parts[name] = [found.sounds[i] for i in chosen], [found.texts[i] for i in chosen]
        rows[name] = [int(found.lines[i]) for i in chosen]
    never = "; no speaker is in two parts." if recordings.speakers is not None else "."
    notes = [
        f"{name}: a held-out {100 * share:.3g} % of {path} ({len(rows[name]):,} sounds){never}"
        for name, share in shares.items()
        if share is not None
    ]
    return parts, rows, notes


transcribe = training_command(
    "transcribe",
    TranscribeSettings,
    _prepare,
    """Compare models that write what is said in recordings, keep the best, and draw a report.

    `seqloom predict RUN a.wav b.wav` writes with it.""",
)


def predict_file(model: Any, data: str | list[str], settings: Mapping[str, Any], form: FormOptions) -> Predicted:
    """A row for each sound: its path, and what is said in it; of a table also the line that names it."""
    from seqloom_runtime.data.speech import find_sounds, mixed_down, read_recordings, read_wav

    names = [data] if isinstance(data, str) else data
    if len(names) == 1 and os.path.isdir(names[0]):
        names = find_sounds(names[0])
    if all(name.lower().endswith((".wav", ".wave")) for name in names):
        sounds = [read_wav(name) for name in names]
        return Predicted({"path": names, "text": model.predict(sounds)}, told(mixed_down(sounds), "predict"))
    if len(names) > 1:
        raise SettingError("DATA: expected WAV files, a folder of them, or one table of their paths, got several.")
    how = {"audio": settings["audio"]} if settings.get("audio") is not None else {}
    read = read_recordings(names[0], texts=False, **how, **text_form(settings, form))
    columns = {"line": read.lines.tolist(), "path": read.paths, "text": model.predict(read.sounds)}
    return Predicted(columns, told(read.decisions, "predict"))
