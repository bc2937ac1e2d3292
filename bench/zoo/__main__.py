"""`python -m bench.zoo NAME …`: make models of the zoo again and put them into the package."""

from __future__ import annotations

import argparse

import torch

from .made import put, shelf
from .makers import MAKERS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.zoo", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*MAKERS, "all"], metavar="NAME", help=f"{', '.join(MAKERS)}, all")
    asked = parser.parse_args()
    # One thread: the same bytes on any machine of the same kind.
    torch.set_num_threads(1)
    for name in MAKERS if "all" in asked.names else asked.names:
        card = put(name, MAKERS[name](), shelf())
        print(
            f"{name}: {card.parameters:,} parameters, {card.bytes:,} bytes; {'; '.join(card.score_texts())}", flush=True
        )


if __name__ == "__main__":
    main()
