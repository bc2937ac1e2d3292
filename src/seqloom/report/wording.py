"""Numbers, durations and sentences as a reader expects them: sensible digits, true minus signs, plain words."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from seqloom_runtime.errors import printable

__all__ = [
    "command_line",
    "decimals_for",
    "duration",
    "fixed",
    "list_words",
    "per_cent",
    "plain",
    "rows_and_time",
    "signed_per_cent",
    "tied",
    "whole",
    "with_unit",
]

_MISSING = "–"
_SECONDS = {
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86_400.0,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# Where the result goes is of one run; data, seed and threads are written in places of their own.
_NOT_REPEATED = {"out", "resume", "json", "quiet", "data", "threads", "seed"}
_FILE = re.compile(r"\.(csv|tsv|txt|parquet|pq|gz|feather|arrow)$", re.IGNORECASE)


def decimals_for(values: Iterable[float | None]) -> int | None:
    """Decimals that show the largest of `values` with three to four significant digits; None: powers of ten.

    >>> decimals_for([2.895, 0.05]), decimals_for([0.442]), decimals_for([26013.2]), decimals_for([3e-9])
    (3, 3, 0, None)
    """
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not sizes:
        return 3
    exponent = math.floor(math.log10(max(sizes)))
    # Beyond that zeros alone would fill the column.
    if exponent >= 9 or exponent < -5:
        return None
    return max(0, 3 - exponent) if exponent >= 0 else 2 - exponent


def fixed(value: float | None, decimals: int | None) -> str:
    """`value` with that many decimals and thousands separators, a true minus, and a dash where there is no number.

    >>> fixed(-1234.5, 1), fixed(None, 3), fixed(3.2e-9, None)
    ('−1,234.5', '–', '3.20e−9')
    """
    if value is None or not math.isfinite(value):
        return _MISSING
    if decimals is None:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    text = f"{value:,.{decimals}f}"
    # −0.000 says that a number is negative, which nothing shown supports.
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def plain(value: float | None) -> str:
    """`value` with the digits that `decimals_for` gives it alone."""
    return fixed(value, decimals_for([value]))


def whole(value: float | int | None) -> str:
    """A count with thousands separators.

    >>> whole(26000)
    '26,000'
    """
    try:
        return fixed(None if value is None else float(value), 0)
    except OverflowError:  # a damaged run folder may count to 10⁴⁰⁰
        return _MISSING


def per_cent(fraction: float | None, decimals: int = 1) -> str:
    """A fraction in per cent.

    >>> per_cent(0.0954)
    '9.5 %'
    """
    return _MISSING if fraction is None or not math.isfinite(fraction) else f"{fixed(100 * fraction, decimals)} %"


def signed_per_cent(fraction: float | None, decimals: int = 1) -> str:
    """A fraction in per cent, with its sign.

    >>> signed_per_cent(0.0954), signed_per_cent(-0.2), signed_per_cent(0.0)
    ('+9.5 %', '−20.0 %', '0.0 %')
    """
    if fraction is None or not math.isfinite(fraction):
        return _MISSING
    text = fixed(100 * fraction, decimals)
    return f"{text} %" if text.startswith("−") or not text.strip("0.") else f"+{text} %"


def with_unit(name: str, unit: str | None) -> str:
    """`name (unit)`, unless the name says its unit already.

    >>> with_unit("MAE", "degC"), with_unit("T (degC)", "degC"), with_unit("sales", None)
    ('MAE (degC)', 'T (degC)', 'sales')
    """
    return name if not unit or f"({unit})" in name or f"[{unit}]" in name else f"{name} ({unit})"


def tied(text: str) -> str:
    """`text` with every number kept on one line with the per cent sign after it."""
    # A no-break space.
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def list_words(words: list[str]) -> str:
    """`a, b and c`.

    >>> list_words(["a", "b", "c"])
    'a, b and c'
    """
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""


def duration(rows: float, row_label: str | None) -> str | None:
    """How long `rows` rows of `row_label` (such as "10 minutes") last; None where that can't be said shorter.

    >>> duration(144, "10 minutes"), duration(24, "1 month"), duration(90, "1 minute"), duration(5, "1 step")
    ('1 day', '2 years', '1.5 hours', None)
    """
    match = re.fullmatch(r"(?:(\d+) )?([a-z ]+?)s?", (row_label or "").strip())
    if not match:
        return None
    unit, amount = match[2], float(match[1] or 1) * rows
    if unit in _MONTHS:
        return _largest(amount * _MONTHS[unit], {"month": 1.0, "year": 12.0})
    if unit in ("business day", "week"):
        return _count(amount, unit)
    if unit in _SECONDS:
        return _largest(amount * _SECONDS[unit], _SECONDS)
    return None


def _largest(amount: float, scale: Mapping[str, float]) -> str:
    for name, size in reversed(list(scale.items())):
        count = amount / size
        # The largest unit in which it is a whole or a half: 90 minutes are 1.5 hours, 100 minutes stay minutes.
        if count >= 1 and math.isclose(count * 2, round(count * 2), rel_tol=1e-9):
            return _count(count, name)
    name = next(iter(scale))
    for candidate, size in scale.items():
        if amount >= size:
            name = candidate
    return _count(amount / scale[name], name)


def _count(count: float, name: str) -> str:
    return f"{count:,.4g} {name}" + ("" if count == 1 else "s") if count < 10_000 else f"{count:,.0f} {name}s"


def rows_and_time(rows: int, row_label: str | None) -> str:
    """`144 rows (1 day)`, or the rows alone where the data has no time.

    >>> rows_and_time(144, "10 minutes"), rows_and_time(1, None)
    ('144 rows (1 day)', '1 row')
    """
    text = f"{rows:,} row" + ("" if rows == 1 else "s")
    time = duration(rows, row_label)
    return f"{text} ({time})" if time else text


def command_line(
    command: str,
    settings: Mapping[str, Any],
    source: Mapping[str, Any],
    seed: Any,
    threads: Any,
    given: Mapping[str, str] | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> str:
    r"""The shell command that runs the same settings again into a new folder, one option a line.

    With `given` only those settings are said, each by its flag, and what was `chosen` for the data. Flags that are off
    (false, null, empty) are otherwise left out; lists are joined by commas; words are quoted for the shell.

    >>> command_line("forecast", {"data": "a b.csv", "target": "T (degC)", "calendar": True}, {}, 0, 2).split(" \\\n  ")
    ["seqloom forecast 'a b.csv'", "--target 'T (degC)'", '--calendar', '--seed 0', '--threads 2', '--out NEW_FOLDER']
    """
    words, options = ["seqloom", *command.split()], []
    place = settings.get("data", source.get("source") if _FILE.search(str(source.get("source", ""))) else None)
    if place not in (None, ""):
        # A file called -x would be read as a flag.
        places = place if isinstance(place, list) else [place]
        words += [f"./{each}" if str(each).startswith("-") else str(each) for each in places]
    for key, value in {**settings, **(chosen or {})}.items():
        flag = key.lstrip("-").replace("_", "-")
        if flag in _NOT_REPEATED or (given is not None and key not in {*given, *(chosen or {})}):
            continue
        if given is not None and key in given and isinstance(value, bool):
            options.append([given[key]])
        else:
            options.append(_option(flag, value))
    for flag, value in (("seed", settings.get("seed", seed)), ("threads", settings.get("threads") or threads)):
        options.append(_option(flag, value))
    options.append(["--out", "NEW_FOLDER"])
    return " \\\n  ".join(" ".join(map(_quoted, part)) for part in [words, *options] if part)


def _quoted(word: str) -> str:
    """A word for the shell; one that can't be shown as it is, in the quotes whose escapes bash and zsh turn back.

    >>> print(_quoted("T (degC)"), _quoted("it's" + chr(1)))
    'T (degC)' $'it\\'s\\x01'
    """
    if printable(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of the command line that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if "\x80" <= character <= "\x9f":  # for the shell \x stands for a byte, not a character
        return f"\\u{ord(character):04x}"
    return f"\\{character}" if character in "'\\" else printable(character)


def _option(flag: str, value: Any) -> list[str]:
    if value is True:
        return [f"--{flag}"]
    if value is None or value is False or value in ("", [], ()):
        return []
    if isinstance(value, (list, tuple)):
        value = ",".join(_word(item) for item in value)
    return [f"--{flag}", _word(value)]


def _word(value: Any) -> str:
    whole_number = isinstance(value, float) and value.is_integer()
    return f"{value:g}" if whole_number else repr(value) if isinstance(value, float) else str(value)
