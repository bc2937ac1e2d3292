"""The made table of retail sales: the same rows for the same seed, whatever its size, as Parquet and as text."""

import numpy as np
import polars as pl
import pytest
from bench import retail


def test_more_series_begin_with_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retail, "_CELLS", 400)
    few, many = (pl.concat(list(retail.blocks(series, 40))) for series in (15, 30))
    assert many[: len(few)].equals(few)
    assert not many["sales"].equals(pl.concat(list(retail.blocks(30, 40, seed=2)))["sales"])


def test_every_series_is_whole_and_of_one_group(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retail, "_CELLS", 400)
    retail.write_parquet(tmp_path / "a.parquet", 25, 60)
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame["id"].n_unique() == 25
    by = frame.group_by("id").agg(pl.len(), pl.col("state", "store", "category").n_unique(), pl.col("date").n_unique())
    assert by.select(pl.exclude("id")).unique().rows() == [(60, 1, 1, 1, 60)]
    assert np.issubdtype(frame["sales"].to_numpy().dtype, np.integer)
    retail.write_csv(tmp_path / "a.csv", 25, 60)
    assert pl.read_csv(tmp_path / "a.csv", schema=frame.schema).equals(frame)
