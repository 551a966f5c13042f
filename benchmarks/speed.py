"""How fast detrans is, against what the machine could do and against peers, in one run.

    python -m benchmarks.speed [--device cuda] [--model small] [--corpora DIR] [--documents 100]

Documents are drawn line by line, so every one is different: spun ones from `wild`, clean ones from news.dev
where --corpora is given, else from the two seeds that people wrote (`wild` as its marks repair it still looks
suspicious, so that one document in four passes the first gate; of news one in twenty). Each figure is the
median of up to `REPEATS` runs in `ENOUGH` seconds, at least one, after a shorter one for warming up; on a
GPU the clock stops after synchronising. What the network does is also given as a share of the machine's
matrix rate. One JSON line a figure goes to OUTPUT/DEVICE-MODEL.jsonl, a picture beside it.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.gold import mended, plain
from benchmarks.peers import passes, writers
from benchmarks.testsets import DATA, passages
from detrans import Detrans
from detrans.chooser import Chooser
from detrans.judge import Judge
from detrans.lm import fast_bfloat16
from training.corpora import documents

REPEATS = 3
ENOUGH = 8.0
DOCUMENT = 3000  # characters of a document
SEEDS, HUMAN = Path(__file__).parents[1] / "seeds", ("000_*.txt", "002_*.txt")
NEWS = 300  # documents of news.dev, of whose lines clean documents are made
MANY = 20  # times as many clean documents
SHARES = (0.0, 0.01, 0.1, 1.0)  # of the documents, how many are spun


def sentences(texts: list[str]) -> list[str]:
    """Lines of some length, to be mixed into documents."""
    return [line for text in texts for line in text.split("\n") if len(line) > 60]


def sound(corpora: Path | None) -> list[str]:
    """Lines of text that nobody damaged."""
    if corpora is not None:
        return sentences(list(islice(documents(corpora, "news.dev"), NEWS)))
    return sentences([p.read_text(encoding="utf-8") for name in HUMAN for p in sorted(SEEDS.glob(name))])


def document(pool: list[str], length: int, rng: random.Random) -> str:
    """Lines drawn from `pool` until there are `length` characters."""
    lines = [rng.choice(pool)]
    while sum(map(len, lines)) < length:
        lines.append(rng.choice(pool))
    return "\n".join(lines)


class Documents:
    """Draws documents that never repeat, clean ones from these lines, or else from `wild` as its marks
    repair it."""

    def __init__(self, clean: list[str] | None = None) -> None:
        wild = [t for p in sorted((DATA / "wild").glob("*.gold")) for t in passages(p)]
        self.clean = clean or sentences([mended(t) for t in wild])
        self.spun = sentences([plain(t) for t in wild])

    def draw(self, count: int, share: float, length: int = DOCUMENT, seed: int = 0) -> list[str]:
        """`count` documents of about `length` characters, `share` of them spun."""
        rng = random.Random(f"{seed}/{count}/{share}/{length}")
        result = []
        for i in range(count):
            pool = self.spun if i < round(share * count) else self.clean
            result.append(document(pool, length, rng))
        rng.shuffle(result)
        return result


def timed(work: Callable[[], object], warm: Callable[[], object] | None = None) -> float:
    """Median seconds of `work`, after `warm` or a run of itself; see REPEATS and ENOUGH."""
    (warm or work)()
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH:
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


class Reading:
    """Counts the tokens that a model's network is given, padding included (none on a CPU)."""

    def __init__(self, second: Judge | Chooser) -> None:
        self.read: list[int] = []  # tokens of each pass
        network: Any
        if isinstance(second, Chooser):
            network = second.encoder
            weights = dict(network.layers.named_parameters())
        else:
            network = second._language.network  # type: ignore[attr-defined]
            weights = network.weights
        self._states = network.states
        network.states = self._counted
        # Each token meets every matrix once, a multiply-add being two operations. What is left out: the
        # word vectors, which only tokens that foretell meet, what is done for the places, and the attention.
        matrices = [w for name, w in weights.items() if w.dim() == 2 and "embed" not in name]
        self.operations = 2 * sum(w.numel() for w in matrices)

    def _counted(self, tokens: torch.Tensor, *rest: Any) -> Any:
        self.read.append(tokens.numel())  # several threads do
        return self._states(tokens, *rest)

    @property
    def tokens(self) -> int:
        return sum(self.read)


def ceilings(device: torch.device) -> dict[str, float]:
    """What the machine can do: matrix rate (multiply-adds count as two) and copy bandwidth."""
    dtype = torch.bfloat16 if fast_bfloat16(device) else torch.float32
    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    source = torch.randn(1 << 26, device=device)
    target = torch.empty_like(source)
    return {
        "matrix_gflops": 2 * n**3 / timed(lambda: a @ b) / 1e9,
        "copy_gb_s": 2 * source.numel() * 4 / timed(lambda: target.copy_(source)) / 1e9,
    }


def draw(rows: list[dict[str, Any]], title: str, path: Path) -> None:
    """The throughputs as bars."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "detrans"  # the same file from the same figures

    bars = [(r["figure"], r["value"]) for r in rows if r["unit"] == "MB/s"]
    figure, axis = pyplot.subplots(figsize=(8, 0.3 * len(bars) + 1))
    names, values = zip(*reversed(bars), strict=True)
    axis.bar_label(axis.barh(names, values), fmt="%.2g", fontsize=8, padding=2)
    axis.set_xscale("log")
    axis.set_xlabel("MB/s")
    axis.set_title(title, fontsize=8)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def start_up(model: str) -> dict[str, float]:
    """Seconds of fresh processes, and the peak memory of one that has repaired a document."""
    text = json.dumps(Documents().draw(1, 1.0)[0])
    programs = {
        "import_s": "import detrans",
        "first_clean_s": f"import detrans; detrans.clean({text}, model={model!r})",
    }
    figures = {}
    for name, program in programs.items():
        command = [sys.executable, "-c", program]
        figures[name] = timed(lambda c=command: subprocess.run(c, check=True))  # type: ignore[misc]
    # Linux counts the memory of the parent as its children's (ru_maxrss), but not in this file.
    told = f"{programs['first_clean_s']}; print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True).stdout
    figures["peak_memory_mb"] = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default=None, help="cpu, cuda; the GPU if there is one")
    parser.add_argument("--model", default="base", help="base, small or a model directory")
    parser.add_argument("--corpora", type=Path, help="where clean text is drawn from")
    parser.add_argument("--documents", type=int, default=100, help="of a throughput run; more on a GPU")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()

    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu-{platform.machine()}"
    source, detrans = Documents(sound(args.corpora)), Detrans(model=args.model, device=str(device))
    rows: list[dict[str, Any]] = []

    def report(figure: str, value: float, unit: str, **more: object) -> None:
        rows.append({"figure": figure, "value": float(f"{value:.4g}"), "unit": unit, **more})
        note = "".join(f", {k} {v}" for k, v in more.items())
        print(f"{figure:<46} {value:>12.4g} {unit}{note}", flush=True)

    print(f"{name}, {torch.get_num_threads()} threads, {detrans.signature}")
    ceiling = ceilings(device)
    report("matrix_gflops", ceiling["matrix_gflops"], "GFLOP/s")
    report("copy_gb_s", ceiling["copy_gb_s"], "GB/s")

    repair = detrans.repair_batch
    second = detrans._second
    assert second is not None
    reading = Reading(second)
    few = source.draw(2, 1.0, 500)

    def warm() -> None:
        repair(few)

    def measured(texts: list[str]) -> float:
        """Seconds; `reading.tokens` are those of the last run."""

        def run() -> None:
            reading.read.clear()
            repair(texts)

        return timed(run, warm)

    seconds: dict[float, float] = {}
    for share in SHARES:
        # As many as it takes for one to be spun; of clean ones, which vary and are done soon, many.
        count = max(args.documents, round(1 / share)) if share else MANY * args.documents
        spun = source.draw(count if share < 1 else max(args.documents // 10, 4), share)
        ours = measured(spun)
        seconds[share] = ours / sum(map(len, spun)) * 1e6
        report(f"repair, {share:.0%} spun", 1 / seconds[share], "MB/s")
    report("time of 1% spun against none", seconds[0.01] / seconds[0.0], "times")

    # The last share is 1.
    lines = [line for text in spun for line in text.split("\n")]
    report("repair, all spun", len(lines) / ours, "paragraphs/s")
    gflops = reading.tokens * reading.operations / ours / 1e9
    report(
        "tokens read",
        reading.tokens / ours,
        "tokens/s",
        share_of_matrix_rate=round(gflops / ceiling["matrix_gflops"], 3),
    )
    for writer, rewrite in writers(args.model, device).items():
        some = lines[: max(len(lines) // 4, 8)]
        theirs = timed(lambda r=rewrite, t=some: r(t), lambda r=rewrite: r(lines[:2])) / len(some)  # type: ignore[misc]
        report(f"{writer} on whole paragraphs", 1 / theirs, "paragraphs/s")
        report(f"repair against {writer}", theirs / (ours / len(lines)), "times")

    for length in (200, 1000, 10000):
        texts = source.draw(max(100 * args.documents // length, 1), 1.0, length)
        report(
            f"repair, all spun, documents of {length}", sum(map(len, texts)) / measured(texts) / 1e6, "MB/s"
        )
    for batch in (1, 16, 256):
        texts = source.draw(max(args.documents // 10, 4), 1.0, 1000)

        def batches(texts: list[str] = texts, batch: int = batch) -> None:
            for i in range(0, len(texts), batch):
                repair(texts[i : i + batch])

        report(
            f"repair, all spun, batches of {batch}", sum(map(len, texts)) / timed(batches, warm) / 1e6, "MB/s"
        )

    sentence = source.spun[0]
    report(
        "one spun paragraph", 1000 * timed(lambda: detrans.repair(sentence)), "ms", characters=len(sentence)
    )
    clean = source.draw(MANY * args.documents, 0.0)
    size = sum(map(len, clean))
    for peer, function in passes().items():
        took = timed(lambda f=function: [f(t) for t in clean])  # type: ignore[misc]
        report(f"{peer}, clean text", size / took / 1e6, "MB/s")
        report(f"repair of clean text against {peer}", took / size * 1e6 / seconds[0.0], "times")
    for figure, value in start_up(detrans.config.model).items():
        report(figure, value, figure.rpartition("_")[2])
    if device.type == "cuda":
        report("peak_device_memory_mb", torch.cuda.max_memory_allocated() / 2**20, "MB")

    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"{name.replace(' ', '-')}-{Path(args.model).name}.jsonl"
    common = {"device": name, "threads": torch.get_num_threads(), "signature": detrans.signature}
    path.write_text("".join(json.dumps(row | common) + "\n" for row in rows))
    draw(rows, f"{name}, {detrans.signature}", path.with_suffix(".svg"))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
