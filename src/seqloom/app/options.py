"""What the commands can be asked: options made of the table of parameters, what they hold, and the parsing of lists.

A command lists the parameters that have a flag (`from_table`) and adds options of its own, most of which say how a file
is read. `signature.takes` makes the command's signature of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import typer

from seqloom_runtime.errors import FormatError, SettingError, shown

from ..tasks.constraints import AnyOf, Boolean, Labels, Numeric, OneOf, OneOrMore, Span, Text
from ..tasks.parameters import ESTIMATORS, Parameter

__all__ = [
    "DURATION",
    "THREADS",
    "TRAINING",
    "Asked",
    "Json",
    "Option",
    "Quiet",
    "argument",
    "check_types",
    "flag_name",
    "from_table",
    "given_flags",
    "inputs_named",
    "models",
    "names",
    "numbers",
    "parameters_of",
    "parts",
    "reading",
    "recorded_settings",
    "rows_or_duration",
]

DURATION = "DURATION"
TRAINING = "epochs steps_per_epoch batch_size learning_rate optimizer weight_decay clip_norm schedule patience seed"
"""The parameters of training that have a flag."""
_OWN = "the model's own"

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON and nothing else.", rich_help_panel="Output")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Print the result alone: no notes, no progress.", rich_help_panel="Output")
]


@dataclass(frozen=True)
class Option:
    """One option of a command, or with panel "" its argument.

    name: of the attribute, and of the flag unless `flags` declares others. kind: of the value beside None. shown: the
    default in words, where the help doesn't show the value. several: an argument that may be given more than once; one
    is then a text, more are a list. single: what a text that is one number is kept as.
    """

    name: str
    help: str
    panel: str = "Data"
    metavar: str | None = "NAME"
    default: Any = None
    shown: str | None = None
    kind: type = str
    flags: str = ""
    several: bool = False
    rare: bool = False
    single: Callable[[str], Any] | None = None

    @property
    def type(self) -> Any:
        """What a value may be."""
        if self.several:
            return str | list | None
        if self.single is not None:
            return str | int | None
        return self.kind | None if self.default is None else self.kind

    @property
    def annotation(self) -> Any:
        """The type and the option as typer reads them."""
        if not self.panel:
            kind: Any = list[str] | None if self.several else self._typed
            return Annotated[kind, typer.Argument(metavar=self.metavar, help=self.help, show_default=False)]
        declared = [self.flags] if self.flags else []
        keywords: dict[str, Any] = {} if self.shown is None else {"show_default": self.shown}
        option: Any = typer.Option(
            *declared, metavar=self.metavar, help=self.help, rich_help_panel=self.panel, hidden=self.rare, **keywords
        )
        return Annotated[self._typed, option]

    @property
    def _typed(self) -> Any:
        return self.kind | None if self.default is None else self.kind

    def kept(self, value: Any) -> Any:
        """A value as the settings hold it: of several files the only one, of several numbers the only one as such."""
        if self.several and isinstance(value, list) and len(value) < 2:
            return value[0] if value else None
        if self.single is not None and isinstance(value, str):
            with contextlib.suppress(ValueError):
                return self.single(value)
        return value


def reading(
    name: str, text: str, metavar: str = "NAME", default: Any = None, shown: str | None = None, kind: type | None = None
) -> Option:
    """An option that says how a file is read; whole numbers by their default."""
    return Option(name, text, "Data", metavar, default, shown, kind or (int if isinstance(default, int) else str))


def argument(metavar: str, text: str, several: bool = False) -> Option:
    """The file that a command reads, as `data`, or the files."""
    return Option("data", text, "", metavar, several=several)


def parts(data: str, share: str, valid: str = "", test: str = "") -> tuple[Option, Option]:
    """--valid and --test: shares of `data`, or files; the words say which rows the shares are."""
    return (
        reading("valid", f"Validation share of {data}{valid}, or a file; it selects the best model.", "F|FILE", share),
        reading(
            "test", f"Test share of {data}{test}, or a file; never used for training or selection.", "F|FILE", share
        ),
    )


def models(estimators: str, default: str, listed: str, always: str) -> Option:
    """--model: what may be compared, and which baselines `always` take part."""
    changes = {"default": default, "help": f"Models to compare: {listed}. Always among them: {always}."}
    return from_table(estimators, "model", model=changes)[0]


ENCODING = reading("encoding", "Encoding of the text.", default="utf-8")
THREADS = Option("threads", "Threads to compute with.", "Training", "N", None, "torch's choice", int)


def from_table(estimators: str, wanted: str, *, values: bool = False, **changes: Any) -> tuple[Option, ...]:
    """Options for the parameters `wanted`, as the first of `estimators` that has them describes them.

    values: an option's default is the estimator's; otherwise it is None, which leaves it to the estimator. Of those in
    `changes` some fields are others.
    """
    found = []
    for name in wanted.split():
        entry = next(ESTIMATORS[estimator][name] for estimator in estimators.split() if name in ESTIMATORS[estimator])
        found.append(replace(_option(entry, values or name in ("model", "seed")), **changes.get(name, {})))
    return tuple(found)


def _option(entry: Parameter, values: bool) -> Option:
    constraint, kind = entry.constraint, _kind(entry)
    text, flags, default = entry.help, "", entry.default
    if isinstance(constraint, OneOf) and not all(name in text for name in constraint.names):
        text += f": {', '.join(constraint.names[:-1])} or {constraint.names[-1]}"
    if kind is bool:
        flags = entry.flag or ("" if default is None else f"--{flag_name(entry)}")
        return Option(
            flag_name(entry), f"{text}.", entry.panel, None, default, entry.shown or None, kind, flags.replace("_", "-")
        )
    # None as default means that the estimator decides, by model or by the data.
    told = entry.shown or (_OWN if default in (None, ()) else _text(default))
    if values:
        default = _text(default) if kind is str and _single(entry) is None else default
        told = (entry.shown or None) if default is None else None
    default = default if values else None
    return Option(flag_name(entry), f"{text}.", entry.panel, _unit(entry), default, told, kind, single=_single(entry))


def flag_name(entry: Parameter) -> str:
    """The name of a parameter on the command line, in a parameter's spelling."""
    return entry.name if not entry.flag or "/" in entry.flag else entry.flag.removeprefix("--").replace("-", "_")


def _kind(entry: Parameter) -> type:
    constraint = entry.constraint
    if isinstance(constraint, Boolean):
        return bool
    return (int if constraint.whole else float) if isinstance(constraint, Numeric) else str


def _single(entry: Parameter) -> Callable[[str], Any] | None:
    """What one number is kept as, where there may be one of each layer."""
    constraint = entry.constraint
    return int if isinstance(constraint, OneOrMore) and isinstance(constraint.member, Numeric) else None


def _unit(entry: Parameter) -> str:
    """What the value counts: the parameter's own unit, or the usual one of its kind."""
    constraint = entry.constraint
    if entry.unit or isinstance(constraint, Span):
        return entry.unit or DURATION
    if isinstance(constraint, Numeric):
        return "N" if constraint.whole else "P" if constraint.high <= 1 else "F"
    return "NAME"


def _text(value: Any) -> Any:
    """A default as it is typed; an empty list is None."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or None
    return value if value is None else f"{value:g}" if isinstance(value, float) else str(value)


class Asked:
    """What a command was asked: a value for each of its options, as an attribute."""

    options: ClassVar[tuple[Option, ...]] = ()

    def __init__(self, **values: Any) -> None:
        for option in self.options:
            setattr(self, option.name, option.kept(values.pop(option.name, option.default)))
        if values:
            raise TypeError(f"{type(self).__name__} has no option {', '.join(values)}")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__} has no option {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    # It has equality by value and can be changed, so it must not be a key.
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    @classmethod
    def defaults(cls) -> Mapping[str, Any]:
        """Each option's name and default."""
        return {option.name: option.default for option in cls.options}

    def but(self, **changes: Any) -> Any:
        """The same with other values."""
        return type(self)(**{**vars(self), **changes})

    def record(self) -> dict[str, Any]:
        """Option → value as in run.json, which holds the threads in a place of their own; no password."""
        from seqloom_runtime.data.database_urls import is_database, safe_name

        unsaid = {option.name for option in self.options if option.rare and getattr(self, option.name) is None}
        found = {name: value for name, value in vars(self).items() if name != "threads" and name not in unsaid}
        if is_database(found.get("data")):
            found["data"] = safe_name(found["data"])  # a password is never written
        return found


def given_flags(settings: Asked) -> dict[str, str]:
    """The settings that differ from their defaults, with the flag that says each: of a switch the one for its value."""
    said = {}
    for option in settings.options:
        value = getattr(settings, option.name)
        if option.panel and value != option.default and option.name != "threads":
            on, _, off = option.flags.partition("/")
            usual = option.name.replace("_", "-")
            said[option.name] = (off or f"--no-{usual}") if value is False else (on or f"--{usual}")
    return said


def recorded_settings(record: dict[str, Any], threads: Any, place: object, kind: type[Asked]) -> Any:
    """The settings of a run's record; raises FormatError, naming `place`, where they are not what `kind` holds."""
    # Neither more nor fewer: a setting that this version lacks would be left out of the run in silence.
    rare = {option.name for option in kind.options if option.rare}
    odd = sorted((set(record) | rare) ^ (set(kind.defaults()) - {"threads"}))
    if odd:
        what = "is unknown" if odd[0] in record else "is missing"
        raise FormatError(f"{place}: its setting {shown(odd[0])} {what}; another version wrote it, or it was altered.")
    check_types({**record, "threads": threads}, place, kind)
    return kind(**record, threads=threads)


def check_types(values: Mapping[str, Any], place: object, kind: type[Asked]) -> None:
    """Raise FormatError, naming `place`, where one of the recorded values is of a type that its option can't have."""
    kinds = {option.name: option.type for option in kind.options}
    for name, value in values.items():
        # 1 is a float too, to whoever writes JSON by hand or by another program.
        whole_as_float = kinds.get(name) is float and type(value) is int
        if name in kinds and not isinstance(value, kinds[name]) and not whole_as_float:
            raise FormatError(
                f"{place}: its setting {shown(name)} is {shown(value)}, which it can't be; the file was altered."
            )


def parameters_of(settings: Asked, estimators: str) -> dict[str, Any]:
    """The parameters of `estimators` that options say, but for `model`; what was left out is left to the estimator.

    Lists and lengths of time are read from their text; raises SettingError, naming the flag, where that fails.
    """
    found = {}
    for name, entry in {name: entry for each in estimators.split() for name, entry in ESTIMATORS[each].items()}.items():
        value = vars(settings).get(flag_name(entry))
        if value is not None and name == "missing":
            found[name] = marks_of(value)[0]
        elif value is not None and name != "model":
            found[name] = _value(entry, value)
    return found


def marks_of(missing: str | None) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The marks of missing cells as numbers, and those that are texts, which the reader of a file takes."""
    numbers, texts = [], []
    for part in names(missing):
        try:
            numbers.append(float(part))
        except ValueError:
            texts.append(part)
    return tuple(numbers), tuple(texts)


def _value(entry: Parameter, value: Any) -> Any:
    constraint = entry.constraint
    if isinstance(constraint, AnyOf) and isinstance(constraint.member, Text):
        return names(value)
    if isinstance(constraint, Labels):
        return _labels(value)
    if isinstance(constraint, OneOrMore):
        if not isinstance(value, str):
            return value
        several = isinstance(constraint.member, Numeric)
        found = numbers(value, f"--{flag_name(entry).replace('_', '-')}", int) if several else names(value)
        return found[0] if len(found) == 1 else found
    if isinstance(constraint, AnyOf):
        whole = isinstance(constraint.member, Numeric) and constraint.member.whole
        return numbers(value, f"--{flag_name(entry).replace('_', '-')}", int if whole else float)
    if not isinstance(constraint, Span):
        return value
    rows = rows_or_duration(value)
    if constraint.fractional and isinstance(rows, str):
        try:
            return float(rows)
        except ValueError:
            return rows
    return rows


def _labels(text: str) -> tuple[Any, ...]:
    """The labels of a list: whole numbers where all of them are, as a file with such labels is read."""
    found = names(text)
    try:
        return tuple(int(label) for label in found)
    except ValueError:
        return found


def names(text: str | None) -> tuple[str, ...]:
    """The members of a comma-separated list; a comma inside a name is written as two.

    >>> names("T (degC), wind,,gust")
    ('T (degC)', 'wind,gust')
    """
    if text is None:
        return ()
    # NUL can't stand in an argument, so it marks the doubled comma safely.
    parts = [part.replace("\0", ",").strip() for part in text.replace(",,", "\0").split(",")]
    return tuple(part for part in parts if part)


def inputs_named(text: str | None, columns: Container[str] = ()) -> tuple[str, ...] | str | None:
    """What --inputs names: columns, "*" for every one unless one of `columns` is called so, None where it is left out.

    >>> inputs_named("wind, promo"), inputs_named("*"), inputs_named(None)
    (('wind', 'promo'), '*', None)
    """
    found = names(text)
    return "*" if found == ("*",) and "*" not in columns else found or None


def numbers(text: str | None, flag: str, kind: Callable[[str], Any] = float) -> tuple[Any, ...]:
    """The numbers of a comma-separated list; raises SettingError naming the flag and the member that is none."""
    found = []
    for part in (text or "").split(","):
        if part.strip():
            try:
                found.append(kind(part.strip()))
            except ValueError:
                raise SettingError(
                    f"{flag}: expected numbers separated by commas, got {shown(part.strip())} in {shown(text)}."
                ) from None
    return tuple(found)


def rows_or_duration(text: str | None) -> int | str | None:
    """A whole number as int, anything else as it is.

    >>> rows_or_duration("24"), rows_or_duration("24h"), rows_or_duration(None)
    (24, '24h', None)
    """
    try:
        return None if text is None else int(text)
    except ValueError:
        return text
