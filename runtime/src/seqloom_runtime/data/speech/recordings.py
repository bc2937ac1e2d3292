"""Recordings and what is said in them: a table of paths and texts, or a folder of WAV files with a list of texts."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError, shown
from ...limits import reading
from ..decisions import Decision
from ..dialect import Reading
from ..reading import table_of
from ..sources import file_bytes, source_name
from ..table import Table
from ..text.lines import read_text
from ..text.pairs import column_texts
from ..text.text_tables import TableForm
from .sound import Sound, mixed_down, read_wav

__all__ = ["Recordings", "find_sounds", "read_recordings"]

_PATHS = ("path", "file", "filename", "file_name", "audio", "wav", "sound")
_TEXTS = ("text", "transcript", "transcription", "sentence", "target")
_SPEAKERS = ("speaker", "voice", "speaker_id", "client_id")
_LISTS = ("transcripts.csv", "transcripts.tsv", "metadata.csv", "transcripts.txt")
_WAV = (".wav", ".wave")
_LINE = re.compile(r"([^\s|]+)\s*(?:\||\s)\s*(\S.*)")


@dataclass(frozen=True, eq=False)
class Recordings:
    """N sounds, what is said in each (None where only sounds were asked for), its path as it was written, and where.

    speakers: of each, None where no column names them. lines (N,) int64: line numbers from 1, of `source`; of a folder
    without a list the numbers of its files. `decisions` is what was found out while reading.
    """

    sounds: list[Sound]
    texts: list[str] | None
    paths: list[str]
    speakers: list[str] | None
    source: str
    lines: np.ndarray
    decisions: tuple[Decision, ...] = ()

    def __len__(self) -> int:
        return len(self.sounds)


def read_recordings(
    path: str | os.PathLike[str],
    *,
    audio: str | None = None,
    text: str | None = None,
    speaker: str | None = None,
    texts: bool = True,
    encoding: str = "utf-8",
    separator: str | None = None,
    header: bool | None = None,
    skip: int = 0,
    sheet: str | None = None,
    query: str | None = None,
) -> Recordings:
    """The recordings of a table, or of a folder that holds one of transcripts.csv, transcripts.tsv, metadata.csv and
    transcripts.txt (lines of a name and what is said: `a1 one two`, or `a1|one two`).

    audio: the column of the paths, which are relative to the table's folder and may lack .wav; text: of what is said;
    speaker: of who says it; by default those of the usual names, the first two else; speaker="none": read none. texts:
    whether there must be any. The others are of a table, as for `read_table`. Of a WAV file of several channels the
    mean is read, and said. Raises DataError with the file and the line for an empty text, and for a WAV file that is
    missing, broken or empty.
    """
    where = Path(os.fspath(path))
    if where.is_dir():
        found = next((where / name for name in _LISTS if (where / name).is_file()), None)
        if found is None:
            raise DataError(f"{path}: expected one of {', '.join(_LISTS)} beside the WAV files, found none of them.")
        where = found
    if where.suffix.lower() in _WAV:
        raise DataError(f"{path}: expected a table of recordings and what is said in them, this is a single WAV file.")
    rows = _lines(where, encoding) if where.suffix == ".txt" else None
    said: list[Decision] = []
    if rows is None:
        form = TableForm(separator, header, skip, sheet, query)
        rows, said = _rows(where, encoding, form, (audio, text, speaker), texts)
    source = source_name(str(where))
    for row, one in enumerate(rows.texts or ()):
        if not one.strip():
            raise DataError(f"{source}, {rows.places[row]}: the text is empty; say what is heard, or leave it out.")
    sounds = _sounds(rows.paths, where.parent, source, rows.places)
    return Recordings(sounds, rows.texts, rows.paths, rows.speakers, source, rows.numbers, (*said, *mixed_down(sounds)))


def find_sounds(path: str | os.PathLike[str]) -> list[str]:
    """The WAV files of a folder, by name; raises DataError where there is none."""
    folder = os.fspath(path)
    found = sorted(name for name in os.listdir(folder) if name.lower().endswith(_WAV))
    if not found:
        raise DataError(f"{folder}: expected WAV files in the folder, found none.")
    return [os.path.join(folder, name) for name in found]


@dataclass(frozen=True, eq=False)
class _Rows:
    paths: list[str]
    texts: list[str] | None
    speakers: list[str] | None
    numbers: np.ndarray
    places: list[str]


def _lines(path: Path, encoding: str) -> _Rows:
    paths, texts, numbers = [], [], []
    for number, line in enumerate(read_text(str(path), encoding).splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise DataError(
                f"{path}, line {number}: expected a name, a space or |, and what is said; found {shown(line)}."
            )
        paths.append(found[1])
        texts.append(found[2])
        numbers.append(number)
    if not paths:
        raise DataError(f"{path}: expected a name and what is said on each line, the file holds nothing.")
    return _Rows(paths, texts, None, np.array(numbers, dtype=np.int64), [f"line {number}" for number in numbers])


def _rows(
    path: Path, encoding: str, form: TableForm, wanted: Sequence[str | None], texts: bool
) -> tuple[_Rows, list[Decision]]:
    name = source_name(str(path))
    with reading(name, "table of recordings"):
        table = form.opened(str(path), encoding)
        if table is None:
            how = Reading(form.separator, form.header, form.skip, plain=True)
            table = table_of(file_bytes(str(path), "recordings"), name, encoding, None, how)
    if not table.rows:
        raise DataError(f"{name}: expected a recording on each line, found none below the header.")
    columns, said = _columns(table, wanted, texts)
    found = [None if column is None else column_texts(table, column) for column in columns]
    assert found[0] is not None
    numbers = table.numbers_of(np.arange(table.rows))
    told = [d for d in table.decisions if d.column in (None, *columns)]
    places = [table.place(row) for row in range(table.rows)]
    return _Rows(found[0], found[1], found[2], numbers, places), [*told, *said]


def _columns(table: Table, wanted: Sequence[str | None], texts: bool) -> tuple[list[str | None], list[Decision]]:
    """The columns of paths, texts and speakers: those named, else those of the usual names, else the first two."""
    names, found, said = list(table.names), [], []
    for number, (given, usual) in enumerate(zip(wanted, (_PATHS, _TEXTS, _SPEAKERS))):
        if given is not None and not (given == "none" and number == 2):
            table.require(given, "column")
        found.append(given or next((name for name in names if name.lower() in usual), None))
    audio, text, speaker = found
    if audio is None or (text is None and texts):
        left = [name for name in names if name not in (audio, text, speaker)]
        if len(left) < (audio is None) + (text is None and texts):
            raise DataError(
                f"{table.source}: expected a column of paths and one of texts, found {', '.join(names[:8])}; name them "
                "(audio=), (text=)."
            )
        audio = left.pop(0) if audio is None else audio
        text = left.pop(0) if text is None and texts else text
        what = f"the paths, {shown(text)} what is said" if texts else "the paths"
        said.append(
            Decision(
                "columns",
                f"Column {shown(audio)} holds {what}, as no columns have the usual names; name them with audio= and "
                "text=; where the first line is a recording too, say header=False.",
                option="audio",
            )
        )
    if wanted[2] is None and speaker is not None and texts:
        said.append(
            Decision(
                "speaker",
                f"Column {shown(speaker)} says who speaks: the sounds of one stay in one part; say speaker='none' to "
                "split them all the same.",
                option="speaker",
            )
        )
    return [audio, text if texts else None, None if speaker == "none" else speaker], said


def _sounds(paths: Sequence[str], folder: Path, source: str, places: Sequence[str]) -> list[Sound]:
    """The WAV files, each named in messages by the line that names it."""
    found = []
    for written, place in zip(paths, places):
        where = f"{source}, {place}"
        if not written.strip() or "\0" in written:
            raise DataError(f"{where}: expected the path of a WAV file, found {shown(written)}.")
        path = folder / written.strip()
        if not path.is_file() and path.suffix.lower() not in _WAV:
            path = path.with_name(path.name + ".wav")
        found.append(read_wav(path, f"{where} ({written.strip()})"))
    return found
