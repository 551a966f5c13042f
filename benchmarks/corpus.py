"""What a corpus run of the command line costs: seconds and memory, by size of the input and by workers.

    python -m benchmarks.corpus --corpora DIR [--megabytes 100 10000] [--workers 1 2] [--scratch DIR]

Writes one `.jsonl` a size into a scratch folder, each of its lines a document of paragraphs drawn from
the clean corpora, and runs `detrans clean` over it in fresh processes: the first size with each number of
workers, the others with the last number. Memory is the sum of what all its processes take together
(proportional set size, from Linux's /proc), looked at twice a second; its peak is reported, and that of the
process that reads and writes. One JSON line a run goes to OUTPUT.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

from benchmarks.speed import DOCUMENT, document
from detrans import Detrans
from training.corpora import TRAIN, paragraphs

INTERVAL = 0.5  # seconds between looks at the memory


def write(path: Path, lines: list[str], size: int) -> None:
    """A corpus of `size` bytes; every document is another choice of lines, so that none repeats."""
    rng = random.Random(size)
    written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            written += file.write(json.dumps({"text": document(lines, DOCUMENT, rng)}) + "\n")


def family(parent: int) -> list[int]:
    """A process and all that it has started."""
    found = [parent]
    for one in found:
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:  # ended meanwhile
            continue
        found += map(int, children)
    return found


def proportional(process: int) -> float:
    """Megabytes of a process, pages that several share divided among them; 0 if it has ended."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return int(rollup.split("Pss:")[1].split()[0]) / 1024


def measured(command: list[str]) -> dict[str, float]:
    """Seconds of a command and the peaks of its memory; raises CalledProcessError where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = reader = 0.0
    while process.poll() is None:
        sizes = [proportional(p) for p in family(process.pid)]
        peak, reader = max(peak, sum(sizes)), max(reader, sizes[0])
        time.sleep(INTERVAL)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {"seconds": time.perf_counter() - start, "peak_mb": peak, "reader_mb": reader}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="where clean text is drawn from")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[100, 10000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--model", default="none")
    parser.add_argument("--scratch", type=Path, help="a folder with room for twice the largest input")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()

    runs = [(args.megabytes[0], n) for n in args.workers]
    runs += [(size, args.workers[-1]) for size in args.megabytes[1:]]
    signature = Detrans(model=args.model).signature
    print(f"{platform.machine()}, {os.cpu_count()} processors, {signature}")
    lines = list(chain.from_iterable(paragraphs(args.corpora, name) for name in TRAIN))
    rows = []
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        source, target = Path(folder, "corpus.jsonl"), Path(folder, "cleaned.jsonl")
        for megabytes, workers in runs:
            write(source, lines, megabytes * 1_000_000)
            command = [sys.executable, "-m", "detrans", "clean", str(source), "-o", str(target)]
            cost = measured([*command, "--model", args.model, "--workers", str(workers)])
            rate = megabytes / cost["seconds"]
            rows.append({"megabytes": megabytes, "workers": workers, "mb_s": rate, **cost})
            print(
                f"{megabytes} MB, {workers} workers: {rate:.2f} MB/s; "
                f"{cost['peak_mb']:.0f} MB at most, {cost['reader_mb']:.0f} in the first process",
                flush=True,
            )
            target.unlink()
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"corpus-cpu-{platform.machine()}-{args.model}.jsonl"
    common = {"processors": os.cpu_count(), "signature": signature}
    rounded = [{k: round(v, 2) for k, v in row.items()} | common for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rounded))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
