"""`seqloom transcribe`: a whole run, predicting, the reader of recordings, and one sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

from oracles.tones import RATE, recordings, say, write_wav
from seqloom.app.running import how_to_go_on
from seqloom.errors import DataError, Interrupted
from seqloom_runtime.data.speech import read_recordings
from seqloom_runtime.extras import installed

pytestmark = pytest.mark.skipif(not installed("kaldi_native_fbank"), reason="needs the extra speech")

TINY = ("--units", "4", "--channels", "3,3", "--mels", "8", "--epochs", "1", "--threads", "1")


def test_a_run_its_report_and_predicting(command: Command, refused: Refused, tmp_path: Path) -> None:
    run, table = tmp_path / "run", recordings(tmp_path / "recordings.csv", 40)
    both = np.repeat(say(["go"], np.random.default_rng(2)), 2)
    write_wav(tmp_path / "sound2.wav", both, RATE, 2)
    outcome = command("transcribe", table, *TINY, "--out", run)
    assert outcome.code == 0, outcome
    assert "Column 'speaker' says who speaks" in outcome.out
    assert "say --speaker none to split" in outcome.out
    assert "no speaker is in two parts" in outcome.out
    assert "1 WAV file has several channels, and their mean is read (first: " in outcome.out
    assert "say --beams" in outcome.out
    assert "say --level char for the other" in outcome.out
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["models"]) == ["nearest", "conv-gru"]
    assert list(metrics["scores"]) == ["wer", "cer", "exact_match"]
    page = (run / "report.html").read_text()
    for said in ("Transcription: text", "What was heard where", "data:image/png;base64,", "word error rate"):
        assert said in page
    lines = [
        int(line) for line in (row.split(",")[1] for row in (run / "predictions.csv").read_text().splitlines()[1:])
    ]
    assert set(lines) <= set(range(2, 42))
    told = command("predict", run, tmp_path / "sound1.wav", tmp_path / "sound2.wav", "--json")
    rows = json.loads(told.out)["predictions"]
    assert [Path(row["path"]).name for row in rows] == ["sound1.wav", "sound2.wav"]
    assert "1 WAV file has several channels" in told.err + told.out
    again = json.loads(command("predict", run, table, "--json").out)["predictions"]
    assert again[1]["text"] == rows[0]["text"]
    assert (again[1]["line"], again[1]["path"]) == (3, "sound1.wav")
    folder = json.loads(command("predict", run, tmp_path, "--json").out)["predictions"]
    assert len(folder) == 40
    other = write_wav(tmp_path / "fast.wav", say(["go"], np.random.default_rng(1)), 2 * RATE)
    assert "fast.wav: expected 8,000 samples a second, got 16,000" in refused("predict", run, other)
    assert json.loads(command("predict", run, other, "--convert-rate", "--json").out)["predictions"]
    assert "--text: a Transcriber reads no texts" in refused("predict", run, "--text", "go")
    assert "--convert-rate: only a transcriber" in refused("predict", _language(command, tmp_path), "--convert-rate")


def _language(command: Command, folder: Path) -> Path:
    (folder / "text.txt").write_text("go up stop\n" * 60)
    assert command("lm", folder / "text.txt", "--model", "unigram", "--out", folder / "lm", "--quiet").code == 0
    return folder / "lm"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "sound3.wav").unlink(), "recordings.csv, line 5 (sound3.wav): expected a WAV file, found no"),
        (
            lambda f: (f / "sound3.wav").write_bytes((f / "sound3.wav").read_bytes()[:-40]),
            "line 5 (sound3.wav): truncated",
        ),
        (lambda f: (f / "sound3.wav").write_bytes(b"no"), "line 5 (sound3.wav): expected a WAV file (RIFF"),
        (lambda f: write_wav(f / "sound3.wav", np.zeros(0, np.int16)), "line 5 (sound3.wav): the sound is empty"),
        (lambda f: write_wav(f / "sound3.wav", np.zeros(90, np.int16)), "line 5 (sound3.wav): the sound is too short"),
        (
            lambda f: write_wav(f / "sound3.wav", np.zeros(8000, np.int16), 16000),
            "line 5 (sound3.wav): expected 8,000 samples a second, got 16,000; convert the file, or let all be "
            "converted with --convert-rate",
        ),
        (lambda f: _table(f, "sound3.wav,,s1"), "recordings.csv, line 5: the text is empty"),
        (lambda f: _table(f, ",go,s1"), "line 5: expected the path of a WAV file"),
        (lambda f: _table(f, "sound3.wav," + " go" * 90 + ",s1"), "line 5 (sound3.wav): "),
        (
            lambda f: (f / "recordings.csv").write_text("path\nsound1.wav\n"),
            "expected a column of paths and one of texts",
        ),
        (lambda f: (f / "recordings.csv").write_text(""), "empty"),
    ],
)
def test_one_sentence_for_bad_recordings(refused: Refused, tmp_path: Path, change: object, said: str) -> None:
    table = recordings(tmp_path / "recordings.csv", 40)
    assert callable(change)
    change(tmp_path)
    # All of them train or validate: the sound that is odd must be in a part that is looked at.
    message = refused("transcribe", table, *TINY, "--speaker", "none", "--valid", "0.05", "--test", "0.05")
    assert said in message


def _table(folder: Path, line: str) -> None:
    lines = (folder / "recordings.csv").read_text().splitlines()
    lines[4] = line
    (folder / "recordings.csv").write_text("\n".join(lines) + "\n")


def test_a_run_of_a_folder_says_how_to_go_on(tmp_path: Path) -> None:
    for data, said in ((str(tmp_path), "Resume with: seqloom transcribe --resume"), ("/dev/null", "came from a pipe")):
        (tmp_path / "run.json").write_text(json.dumps({"command": "transcribe", "settings": {"data": data}}))
        with pytest.raises(Interrupted, match=said), how_to_go_on("transcribe", tmp_path):
            raise KeyboardInterrupt


def test_layouts_of_recordings(tmp_path: Path, refused: Refused) -> None:
    table = recordings(tmp_path / "recordings.csv", 3)
    first = read_recordings(table)
    lines = [line.split(",") for line in table.read_text().splitlines()[1:]]
    assert first.texts == [line[1] for line in lines]
    assert first.speakers == ["s0", "s1", "s2"]
    assert "line 2 (sound0.wav)" in first.sounds[0].name
    for name, text in (
        ("transcripts.txt", "".join(f"{line[0][:-4]} {line[1]}\n\n" for line in lines)),
        ("metadata.csv", "clip,said\n" + "".join(f"{line[0][:-4]},{line[1]}\n" for line in lines)),
        ("transcripts.tsv", "text\tfile\n" + "".join(f"{line[1]}\t{line[0]}\n" for line in lines)),
    ):
        (tmp_path / name).write_text(text)
        read = read_recordings(tmp_path)
        assert read.texts == first.texts
        assert read.sounds[2].fingerprint() == first.sounds[2].fingerprint()
        assert read.speakers is None
        assert any("holds the paths" in decision.text for decision in read.decisions) == (name == "metadata.csv")
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"expected one of transcripts.csv, .* found none"):
        read_recordings(tmp_path)
    with pytest.raises(DataError, match="this is a single WAV file"):
        read_recordings(tmp_path / "sound0.wav")
    (tmp_path / "transcripts.txt").write_text("sound0 go\nsound1\n")
    with pytest.raises(DataError, match="line 2: expected a name, a space"):
        read_recordings(tmp_path)
    assert "expected a table of recordings" in refused("transcribe", tmp_path / "sound0.wav", *TINY)
