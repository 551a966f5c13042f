"""Draw the loss curve of a run: `python -m training.curve .cache/run -o docs/img/training.svg`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SMOOTH = 8  # lines of the log (50 steps each) in a running mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()

    import matplotlib

    matplotlib.use("Agg")
    # No date, no random names: the same log gives the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "detrans", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot as plt

    lines: list[dict[str, Any]] = [json.loads(x) for x in (args.run / "log.jsonl").read_text().splitlines()]
    lines = [x for x in lines if "choice_loss" in x]
    millions = [x["tokens"] / 1e6 for x in lines]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, names in zip(axes, (("choice_loss", "damage_loss"), ("recall", "precision")), strict=True):
        for name, colour in zip(names, ("#0f6b6b", "#c2540a"), strict=True):
            values = [x[name] for x in lines]
            smooth = [
                sum(v) / len(v) for v in (values[max(0, i - SMOOTH + 1) : i + 1] for i in range(len(values)))
            ]
            axis.plot(millions, values, color=colour, alpha=0.25, linewidth=0.8)
            axis.plot(millions, smooth, color=colour, label=name.replace("_", " "))
        axis.set(xlabel="word pieces seen, millions")
        axis.grid(color="#e6e6e6", linewidth=0.6)
        axis.legend(frameon=False)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.output, format="svg", facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    main()
