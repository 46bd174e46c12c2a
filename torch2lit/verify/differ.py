"""The program that compares two dumps of tensors: ``python differ.py RAW CONVERTED`` prints [[index,
difference], ...].
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Print the largest absolute difference of each pair of tensors that is not equal; null where shapes
    differ.
    """
    import torch

    raw, converted = (torch.load(path, weights_only=True) for path in sys.argv[1:3])
    rows: list[tuple[int, float]] = []
    for index, (a, b) in enumerate(zip(raw, converted, strict=False)):
        if a.shape != b.shape:
            rows.append((index, float("inf")))
        elif not torch.equal(a, b):
            difference = a.to_dense().double() - b.to_dense().double()
            rows.append((index, float(difference.abs().max())))
    sys.stdout.write(json.dumps(rows))


if __name__ == "__main__":
    main()
