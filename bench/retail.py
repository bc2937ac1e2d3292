"""A table like daily retail sales, of any size: many zeros, weeks and years, and the groups of each series.

    python -m bench.retail sales.parquet --series 30490 --rows 1941

One row for each series and day: `id`, `date`, `sales` (whole numbers), and the columns `state`, `store` and `category`
of one value within each series. It stands in blocks of whole series, each made from the seed and the place of the block
alone, so that a table of more series begins with the same rows, and no more than a block is ever in memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["blocks", "write_csv", "write_parquet"]

FIRST_DAY = np.datetime64("2011-01-29")
STORES = ("CA_1", "CA_2", "CA_3", "CA_4", "TX_1", "TX_2", "TX_3", "WI_1", "WI_2", "WI_3")
CATEGORIES = ("FOODS", "HOBBIES", "HOUSEHOLD")
WEEK = np.array([[1.25, 0.95, 0.9, 0.88, 0.9, 1.02, 1.3], [1.2, 0.9, 0.9, 0.9, 0.95, 1.1, 1.25]])  # by kind of goods
_CELLS = 1 << 20  # of a block


def sales(series: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Sales (series, rows) int32: a rate of each series' own times week, year and a slow wave, drawn from a
    negative binomial; nothing before the day it was first sold, and nothing on the days that it was sold out.

    >>> made = sales(50, 400, np.random.default_rng(1))
    >>> made.shape, bool(made.min() == 0), bool((made == 0).mean() > 0.3)
    ((50, 400), True, True)
    """
    day = np.arange(rows)
    rate = np.exp(rng.normal(-0.4, 1.1, (series, 1)))
    weight = rng.uniform(0.3, 1.0, (series, 1))
    week = WEEK[rng.integers(0, 2, series)][:, (day + 6) % 7]
    year = 0.35 * rng.random((series, 1)) * np.sin(2 * np.pi * (day / 365.25 + rng.random((series, 1))))
    wave = (
        0.5 * rng.random((series, 1)) * np.sin(2 * np.pi * (day / rng.uniform(300, 2000, (series, 1)) + rng.random()))
    )
    mean = rate * (1 + weight * (week - 1)) * np.exp(year + wave)
    spread = rng.uniform(0.7, 4.0, (series, 1))
    drawn = rng.poisson(mean * rng.standard_gamma(np.broadcast_to(spread, mean.shape)) / spread).astype(np.int32)
    launched = np.where(rng.random(series) < 0.4, rng.random(series) * 0.6 * rows, 0)[:, None]
    out_from = rng.random((series, 1)) * rows
    drawn[(day < launched) | ((day >= out_from) & (day < out_from + rng.integers(0, 40, (series, 1))))] = 0
    return drawn


def blocks(series: int, rows: int, seed: int = 1) -> Iterator[Any]:
    """The table as polars frames of whole series, about a million rows each."""
    import polars as pl

    size = max(1, _CELLS // rows)
    days = pl.Series("date", FIRST_DAY + np.arange(rows))
    for block, first in enumerate(range(0, series, size)):
        number = np.arange(first, first + size)  # a whole block is drawn, so that its numbers don't hang on `series`
        made = sales(size, rows, np.random.default_rng([seed, block]))[: series - first]
        number = number[: series - first]
        store = number % len(STORES)
        item = number // len(STORES)
        category = CATEGORIES * (len(number) // len(CATEGORIES) + 1)
        category = [category[at % len(CATEGORIES)] for at in item.tolist()]
        stores = [STORES[at] for at in store.tolist()]
        about = pl.DataFrame(
            {
                "id": [f"{kind}_{at:05d}_{shop}" for kind, at, shop in zip(category, item.tolist(), stores)],
                "state": [shop[:2] for shop in stores],
                "store": stores,
                "category": category,
            }
        )
        place = np.repeat(np.arange(len(number)), rows)
        dates = pl.concat([days] * len(number), rechunk=True)
        yield about[place].select("id", dates, pl.Series("sales", made.ravel()), "state", "store", "category")


def write_parquet(path: Path, series: int, rows: int, seed: int = 1, held: int = 0) -> None:
    """The table as one Parquet file, a row group for each block; without the last `held` days of each series."""
    import polars as pl
    import pyarrow.parquet as pq

    writer = None
    for frame in blocks(series, rows, seed):
        frame = frame.filter(pl.col("date") < FIRST_DAY + rows - held)
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=len(table))
    if writer is not None:
        writer.close()


def write_csv(path: Path, series: int, rows: int, seed: int = 1) -> None:
    """The table as text with commas."""
    with path.open("wb") as file:
        for at, frame in enumerate(blocks(series, rows, seed)):
            frame.write_csv(file, include_header=at == 0)


def main() -> None:
    """Read the arguments and write the table; the ending of the path says as what."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="where to write it: a path that ends in .parquet or .csv")
    parser.add_argument("--series", type=int, default=30490)
    parser.add_argument("--rows", type=int, default=1941, help="days of each series")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.path.suffix not in (".parquet", ".csv"):
        parser.error(f"expected a path that ends in .parquet or .csv, got {given.path}")
    write = write_parquet if given.path.suffix == ".parquet" else write_csv
    write(given.path, given.series, given.rows, given.seed)


if __name__ == "__main__":
    main()
