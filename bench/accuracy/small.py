"""The small tables: a bare command, and statsforecast's methods, from five origins over the last two seasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import ours, peers
from .tables import SMALL, TOLD, Window, small_table
from .work import LEVELS, Means, Record, Work, local_record

__all__ = ["COMMANDS", "STATISTICAL", "small_work"]

STATISTICAL = ("SeasonalNaive", "AutoETS", "AutoTheta", "AutoARIMA")
COMMANDS = {
    "seqloom": (),
    "seqloom --preset good": ("--preset", "good"),
    "seqloom --preset best": ("--preset", "best"),
    **{f"seqloom --model {name}": ("--model", name) for name in ("linear", "gru", "ets", "theta", "arima")},
}
"""What is typed behind `seqloom forecast TABLE --horizon H`; a command that this version lacks is left out."""
SEVERAL = (
    "forecasting/australian_tourism.csv.gz",
    "forecasting/exchange_rate.csv.gz",
)  # tables of several columns, of which one is forecast


def small_work() -> Iterator[Work]:
    """Every method on every small table."""
    for name, entry in {**SMALL, **TOLD}.items():
        windows = tuple(str(number) for number in range(1, 6))
        for method in STATISTICAL:
            yield Work("small", name, method, 0, windows, _statistical(name, method), peer=True)
        for command, arguments in COMMANDS.items():
            if not ours.takes(arguments):
                continue
            target = ("--target", entry.target) if entry.file in SEVERAL else ()
            season = ("--season", str(entry.season)) if entry.told else ()
            for window in windows:
                yield Work("small", name, command, 0, (window,), _command(name, (*target, *season, *arguments)))


def _window(name: str, number: str, windows: list[Window]) -> Window:
    return windows[int(number) - 1]


def _statistical(name: str, method: str):
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        assert means.peers is not None
        entry = {**SMALL, **TOLD}[name]
        table, windows = small_table(name, means.data)
        asked = [_window(name, number, windows) for number in wanted]
        job = peers.StatisticalJob(
            method,
            [table.history(window.origin) for window in asked],
            season=entry.season,
            horizon=entry.horizon,
        )
        found, facts = peers.ask(means.peers, job, threads=means.threads)
        each = facts["seconds"] / len(asked)
        return {
            number: {
                **local_record(
                    table.truth(window),
                    found["forecasts"][place],
                    {level: (found[f"low_{level}"][place], found[f"high_{level}"][place]) for level in LEVELS},
                    each,
                ),
                "versions": facts["versions"],
            }
            for place, (number, window) in enumerate(zip(wanted, asked))
        }

    return run


def _command(name: str, arguments: tuple[str, ...]):
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        table, windows = small_table(name, means.data)
        records = {}
        for number in wanted:
            window = _window(name, number, windows)
            path = table.before(window.origin, means.scratch / "small.csv")
            said = ours.forecast(path, window.horizon, arguments, threads=means.threads)
            bounds = {level: (low[0], high[0]) for level, (low, high) in said.bounds.items()}
            record = local_record(table.truth(window), said.values[0], bounds, said.seconds)
            records[number] = {**record, "chosen": said.chosen}
        return records

    return run
