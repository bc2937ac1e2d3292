"""Two gloo processes: bitwise repeatable, to rounding equal to one process, resumable, stopped together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import folder_bits, list_of_batches, train, validate
from torch.nn.utils.rnn import pack_sequence
from two_ranks import carrying, penalty, plain_net

from seqloom.errors import SettingError
from seqloom.training.distributed import World
from seqloom_runtime.files import read_json


def free_ports(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """The results of both ranks, and their folder."""
    folder = tmp_path_factory.mktemp("ranks")
    here = Path(__file__).parent
    ports = free_ports(2)
    environment = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(here),
    }
    command = [sys.executable, "-W", "error", str(here / "two_ranks.py"), str(folder), *ports]
    processes = [
        subprocess.Popen(
            command, env={**environment, "RANK": str(rank)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert said[0][0] == said[1][0] == ""  # a library function prints nothing
    return [read_json(folder / f"rank{rank}.json") for rank in range(2)], folder


def test_equal_to_one_process_to_rounding(ranks: Any) -> None:
    (first, second), _ = ranks
    assert first["plain"]["weights"] == second["plain"]["weights"]
    assert first["plain"]["history"] == second["plain"]["history"]
    net, history = train(
        plain_net(),
        batches=list_of_batches(size=7) + list_of_batches(rows=1),
        optimizer="adamw",
        weight_decay=0.1,
        clip_norm=0.8,
        penalty=penalty,
        validate=validate,
    )
    start = plain_net().state_dict()
    for name, tensor in net.state_dict().items():
        found = torch.tensor(first["plain"]["weights"][name]).view(tensor.shape)
        torch.testing.assert_close(found, tensor, rtol=1e-4, atol=1e-5)
        assert torch.equal(found, start[name]) == name.startswith("spare")
    for row, other in zip(first["plain"]["history"], history.rows(), strict=True):
        assert row == pytest.approx(other, rel=1e-5)


def test_a_state_that_is_carried_is_shared_out_with_its_rows(ranks: Any) -> None:
    (first, second), _ = ranks
    assert first["carrying"] == second["carrying"]
    alone = carrying()
    assert alone.keys() == first["carrying"].keys()
    assert any(name.endswith("state_0") for name in alone)
    for name, numbers in alone.items():
        np.testing.assert_allclose(first["carrying"][name], numbers, rtol=1e-9, atol=1e-12, err_msg=name)


def test_only_rank_0_tells(ranks: Any) -> None:
    (first, second), _ = ranks
    assert first["plain"]["told"] > 5
    assert second["plain"]["told"] == 0


def test_bitwise_repeatable_with_and_without_a_folder(ranks: Any) -> None:
    (first, second), _ = ranks
    assert first["noisy"] == first["again"]
    assert first["noisy"]["bits"] == second["noisy"]["bits"]
    assert first["noisy"]["history"] == second["noisy"]["history"]


def test_the_ranks_draw_different_masks(ranks: Any) -> None:
    (first, second), _ = ranks
    assert len(first["noisy"]["drawn"][0]) == len(second["noisy"]["drawn"][0]) == 3  # rows of the first step
    assert first["noisy"]["drawn"][0] != second["noisy"]["drawn"][0]


def test_stopped_and_resumed_to_the_same_bits(ranks: Any) -> None:
    (first, second), folder = ranks
    for one in (first, second):
        assert "steps of the next; saved in" in one["resumed"]["words"]
        assert one["resumed"]["bits"] == first["noisy"]["bits"]
        assert one["resumed"]["history"] == first["noisy"]["history"]
    assert first["resumed"]["words"] == second["resumed"]["words"]
    assert folder_bits(folder / "checkpoints") == folder_bits(folder / "whole")


def test_what_both_ranks_refuse(ranks: Any) -> None:
    (first, second), _ = ranks
    found = first["refusals"]
    assert found == second["refusals"]
    assert "they must agree, found batch[0]: 7, batch[1]: 3." in found["rows"]
    assert "it can't split a set" in found["kind"]
    assert "found no tensor" in found["nothing"]
    assert "batch[0] holds NaN in 1 of 28 values at epoch 1, step 2" in found["nan"]


Pair = namedtuple("Pair", "x y")


@dataclass(frozen=True)
class Record:
    x: Any
    name: str


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("rows", [1, 2, 7, 12])
def test_shards_cover_every_row_once_in_order(rows: int, size: int) -> None:
    x = torch.arange(rows)
    batch = {"p": Pair(x, [x.numpy() * 2, None]), "r": Record(x + 1, "n"), "scale": torch.tensor(3.0), "k": 4}
    parts, shares = [], []
    for rank in range(size):
        shard, share = World(rank, size).shard(batch)
        shares.append(share)
        if share:
            assert (shard["scale"], shard["k"], shard["r"].name, shard["p"].y[1]) == (3.0, 4, "n", None)
            assert np.array_equal(shard["p"].y[0], shard["p"].x.numpy() * 2)
            assert torch.equal(shard["r"].x, shard["p"].x + 1)
            assert share == len(shard["p"].x) / rows
            parts.append(shard["p"].x)
        else:
            assert shard is None
    assert torch.equal(torch.cat(parts), x)
    assert sum(shares) == pytest.approx(1)
    assert max(shares) - min(shares) <= 1 / rows + 1e-12
    assert shares[0] > 0  # rank 0 keeps the buffers


def test_a_packed_sequence_is_not_cut() -> None:
    packed = pack_sequence([torch.zeros(2)] * 2)
    with pytest.raises(SettingError, match=r"they must agree|can't split a PackedSequence"):
        World(0, 2).shard(packed)


def test_incomplete_variables_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(
        SettingError, match="WORLD_SIZE is set but RANK is not: start data-parallel training with torchrun"
    ):
        train()
