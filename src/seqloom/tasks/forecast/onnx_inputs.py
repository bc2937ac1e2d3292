"""What an exported forecaster is given, in the table's units, and how the network's inputs are made of it.

Numbers, words, times and holidays come apart, as a program has them; `Given` declares the inputs, and scales, codes and
joins them as `Features.inputs` and `Features.future` do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.forecast.category_inputs import Category
from seqloom_runtime.forecast.missing_inputs import LONGEST
from seqloom_runtime.forecast.transforms import Transform

from ...nn.onnx_graph import Graph
from .onnx_calendar import waves_of

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["Given", "by_series", "transformed"]


@dataclass
class Given:
    """The inputs as they are declared. rows: of the past, relative to the origin. numbers: (batch, rows, columns) of
    the past, the target's already in the scale of its transform. series: the number of each window's series, or None.
    """

    graph: Graph
    forecaster: Forecaster
    rows: list[int | str]
    series: str | None = None
    about: list[str] = field(default_factory=list)
    numbers: str = ""

    def add(self, name: str, axes: list[int | str], about: str, kind: str = "DOUBLE") -> str:
        """Declare an input, and say so in a sentence."""
        shape = ", ".join(map(str, axes))
        self.about.append(f"Input {name}: {about}; ({shape}), {kind.lower()}.")
        return self.graph.input(name, axes, about, kind)

    def past(self) -> str:
        """Declare the past's inputs and make the network's of them: (batch, rows, width) float32."""
        graph, features = self.graph, self.forecaster.features_
        names = features.roles.numeric_inputs
        raw = self.add(
            "past", ["batch", *self.rows, len(names)], f"the rows up to the origin, oldest first: {_listed(names)}"
        )
        target = names.index(features.roles.target)
        self.numbers = transformed(graph, raw, features.transform, target, len(names))
        mean, std = self.moments(names)
        x = graph.cast(graph.node("Div", graph.node("Sub", self.numbers, mean), std), "FLOAT")
        if features.flagged:  # where no value was put in, the training mean stands
            x = graph.node("Where", graph.node("IsNaN", x), graph.number(0.0), x)
        parts = [x, *self._missing()]
        if features.cycles:
            parts.append(waves_of(graph, self.time("past", self.rows), features.cycles))
        if features.holidays is not None:
            parts.append(self._holidays("past", self.rows))
        parts += self._words("past", self.rows, features._words(features.roles.inputs))
        return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=2)

    def future(self) -> str | None:
        """Declare what is known of the rows that are forecast: (batch, steps, future_width) float32, or None."""
        graph, features = self.graph, self.forecaster.features_
        if not features.future_width:
            return None
        rows: list[int | str] = [len(self.forecaster.window_spec_.steps)]
        names = [name for name in features.roles.future if name in features.roles.numeric]
        parts = []
        if names:
            raw = self.add("future", ["batch", *rows, len(names)], f"the rows that are forecast: {_listed(names)}")
            mean, std = self.moments(names)
            parts.append(graph.cast(graph.node("Div", graph.node("Sub", raw, mean), std), "FLOAT"))
        if features.holidays is not None:
            parts.append(self._holidays("future", rows))
        parts += self._words("future", rows, features._words(features.roles.future))
        if features.calendar_ahead and features.cycles:
            parts.append(waves_of(graph, self.time("future", rows), features.cycles))
        return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=2)

    def moments(self, names: Any) -> tuple[str, str]:
        """Mean and standard deviation of columns of numbers, to be used on (batch, rows, columns)."""
        features = self.forecaster.features_
        scaler, numeric = features.scaler, features.roles.numeric
        assert scaler is not None
        at = [numeric.index(name) for name in names]
        found = []
        for value in (scaler.mean, scaler.std):
            rows = np.asarray(value, dtype=np.float64).reshape(-1, len(numeric))[:, at]
            if not features.per_series:
                found.append(self.graph.array(rows[0]))
                continue
            place = {name: number for number, name in enumerate(scaler.ids)}
            rows = rows[[place[name] for name in self.forecaster.context_.ids]]
            own = by_series(self.graph, rows, self.series)
            found.append(self.graph.node("Unsqueeze", own, self.graph.whole(1)))
        return found[0], found[1]

    def _missing(self) -> list[str]:
        """What is told of values that were not measured: a flag, and the wait since the last one."""
        graph, features = self.graph, self.forecaster.features_
        if not features.flagged:
            return []
        axes: list[int | str] = ["batch", *self.rows, len(features.flagged)]
        listed = _listed(features.flagged)
        parts = [
            self.add("repaired", axes, f"1 where the row's value was missing and put in, else 0: {listed}", "FLOAT")
        ]
        if features.since:
            about = (
                f"the rows since the last measured value, 0 where the row has one, at most {LONGEST} counts: {listed}"
            )
            waited = graph.cast(self.add("waited", axes, about, "INT64"), "DOUBLE")
            waited = graph.node("Min", waited, graph.wide_number(LONGEST))
            log = graph.node("Log", graph.node("Add", waited, graph.wide_number(1.0)))
            parts.append(graph.cast(graph.node("Div", log, graph.wide_number(math.log1p(LONGEST))), "FLOAT"))
        return parts

    def time(self, when: str, rows: list[int | str]) -> str:
        """Declare the times of rows: (batch, rows) int64."""
        zone = self.forecaster.context_.zone
        clock = "wall clock" if zone is None else f"wall clock in {zone}"
        about = f"the times of these rows by the {clock}, in microseconds since 1970-01-01T00:00"
        return self.add(f"{when}_time", ["batch", *rows], about, "INT64")

    def _holidays(self, when: str, rows: list[int | str]) -> str:
        days = self.forecaster.features_.holidays
        assert days is not None
        self.graph.metadata["holidays"] = days.to_json()
        about = f"of the days of these rows, by the holidays of {days.places}: {_listed(days.names)}"
        return self.add(f"{when}_holidays", ["batch", *rows, len(days.names)], about, "FLOAT")

    def _words(self, when: str, rows: list[int | str], categories: list[Category]) -> list[str]:
        """One input for each word; the number −1 stands for a word without one, or none."""
        if not categories:
            return []
        graph = self.graph
        names = [category.column for category in categories]
        about = (
            f"the numbers of the words as the metadata's words list them, -1 for any other or none: {_listed(names)}"
        )
        codes = self.add(f"{when}_words", ["batch", *rows, len(names)], about, "INT64")
        parts = []
        for number, category in enumerate(categories):
            graph.metadata.setdefault("words", {})[category.column] = list(category.words)
            table = np.eye(category.width, dtype=np.float32)
            if not category.other:  # what no input stands for takes the training rows' shares
                table = np.concatenate([table, np.array([category.shares], dtype=np.float32)])
            code = graph.node("Gather", codes, graph.whole_number(number), axis=2)
            code = graph.node("Where", graph.node("Less", code, graph.whole_number(0)), graph.whole_number(-1), code)
            parts.append(graph.node("Gather", graph.array(table), code, axis=0))
        return parts


def by_series(graph: Graph, rows: np.ndarray, series: str | None) -> str:
    """The row (S, …) of each window's series: (batch, …), or (1, …) where there is one series; NaN for number −1."""
    if series is None:
        return graph.array(rows[:1])
    return graph.node("Gather", graph.array(np.concatenate([rows, rows[:1] * np.nan])), series, axis=0)


def transformed(graph: Graph, raw: str, transform: Transform | str | None, at: int, width: int) -> str:
    """Numbers (…, width) with the target, at its place, transformed: see `transforms.Transform.forward`."""
    if not isinstance(transform, Transform):
        return raw
    alone = np.arange(width) == at
    made = forward(graph, raw, transform)
    return graph.node("Where", graph.array(alone), made, raw)


def forward(graph: Graph, values: str, transform: Transform) -> str:
    """y → z, of any shape."""
    held = graph.node("Max", values, graph.wide_number(transform.least))
    if not transform.power:
        return graph.node("Log", held)
    power = graph.wide_number(transform.power)
    raised = graph.node("Sub", graph.node("Pow", held, power), graph.wide_number(1.0))
    return graph.node("Div", raised, power)


def _listed(names: Any) -> str:
    return ", ".join(names)
