"""How fast detrans is, against what the machine could do and against peers, in one run.

    python -m benchmarks.speed [--device cuda] [--seconds 3] [--output benchmarks/results]

Needs no corpora: documents are drawn, line by line, from the project's own test texts (`wild` as it is
for spun ones, as its marks repair it for clean ones), so every document is different. Each figure is the
median of `REPEATS` runs after one for warming up; on a GPU the clock stops after synchronising.
One JSON line a figure goes to OUTPUT/DEVICE.jsonl.
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
from pathlib import Path
from typing import Any

import torch

from benchmarks.gold import mended, plain
from benchmarks.testsets import DATA, passages
from detrans import Detrans
from detrans.assets import model_directory, read_config
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.lm import fast_bfloat16

REPEATS = 3
DOCUMENT = 3000  # characters of a document
SHARES = (0.0, 0.01, 0.1, 1.0)  # of the documents, how many are spun


def sentences(texts: list[str]) -> list[str]:
    """Lines of some length, to be mixed into documents."""
    return [line for text in texts for line in text.split("\n") if len(line) > 60]


class Documents:
    """Draws documents that never repeat."""

    def __init__(self) -> None:
        wild = [t for p in sorted((DATA / "wild").glob("*.gold")) for t in passages(p)]
        self.clean = sentences([mended(t) for t in wild])
        self.spun = sentences([plain(t) for t in wild])

    def draw(self, count: int, share: float, length: int = DOCUMENT, seed: int = 0) -> list[str]:
        """`count` documents of about `length` characters, `share` of them spun."""
        rng = random.Random(f"{seed}/{count}/{share}/{length}")
        result = []
        for i in range(count):
            pool = self.spun if i < round(share * count) else self.clean
            lines = [rng.choice(pool)]
            while sum(map(len, lines)) < length:
                lines.append(rng.choice(pool))
            result.append("\n".join(lines))
        rng.shuffle(result)
        return result


def timed(work: Callable[[], object]) -> float:
    """Median seconds of `work` over REPEATS, after a run to warm up."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def ceilings(device: torch.device) -> dict[str, float]:
    """What the machine can do: matrix rate (multiply-adds count as two) and copy bandwidth."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    source = torch.randn(1 << 26, device=device)
    target = torch.empty_like(source)
    return {
        "matrix_gflops": 2 * n**3 / timed(lambda: a @ b) / 1e9,
        "copy_gb_s": 2 * source.numel() * 4 / timed(lambda: target.copy_(source)) / 1e9,
    }


def sentence_generator(detrans: Detrans, device: torch.device) -> Callable[[list[str]], None]:
    """Whole-sentence rewriting by plain `generate`: a decoder as large as what the model reads with.

    Its weights are random, since only its speed counts: it writes as many tokens as it reads.
    """
    from tokenizers import Tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    directory = model_directory(detrans.config.model)
    settings = read_config(directory)["language"]
    tokenizer = Tokenizer.from_file(str(directory / "language.json"))
    shape = {k: v for k, v in settings.items() if k != "rope_theta"}
    model: Any = LlamaForCausalLM(
        LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, **shape)
    )
    tokenizer.no_padding()
    model.eval()
    model.to(device, torch.bfloat16 if fast_bfloat16(device) else torch.float32)

    @torch.inference_mode()
    def rewrite(lines: list[str]) -> None:
        encoded = sorted((tokenizer.encode(line).ids for line in lines), key=len)
        for i in range(0, len(encoded), 32):
            group = encoded[i : i + 32]
            longest = max(map(len, group))
            ids = torch.tensor([[0] * (longest - len(g)) + g for g in group], device=device)
            model.generate(
                ids, attention_mask=(ids != 0).long(), max_new_tokens=longest, min_new_tokens=longest
            )

    return rewrite


def peers() -> dict[str, Callable[[str], object]]:
    """Text passes that users know, where they are installed."""
    found: dict[str, Callable[[str], object]] = {}
    try:
        import ftfy

        found["ftfy fix_text"] = ftfy.fix_text
    except ImportError:
        print("(ftfy is not installed: pip install ftfy)", file=sys.stderr)
    try:
        from flashtext import KeywordProcessor

        processor = KeywordProcessor()
        lexicon = Lexicon(shipped_forms())
        for phrase, forms in zip(lexicon.phrases, lexicon.candidates, strict=True):
            processor.add_keyword(phrase, forms[0].original)
        found["flashtext, our lexicon"] = processor.extract_keywords
    except ImportError:
        print("(flashtext is not installed: pip install flashtext)", file=sys.stderr)
    return found


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
    parser.add_argument("--model", default="base", help="base or a model directory")
    parser.add_argument("--documents", type=int, default=100, help="of a throughput run; more on a GPU")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()

    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu-{platform.machine()}"
    source, detrans = Documents(), Detrans(model=args.model, device=str(device))
    rows: list[dict[str, Any]] = []

    def report(figure: str, value: float, unit: str, **more: object) -> None:
        rows.append({"figure": figure, "value": float(f"{value:.4g}"), "unit": unit, **more})
        note = "".join(f", {k} {v}" for k, v in more.items())
        print(f"{figure:<46} {value:>12.4g} {unit}{note}", flush=True)

    print(f"{name}, {torch.get_num_threads()} threads, {detrans.signature}")
    ceiling = ceilings(device)
    for key, value in ceiling.items():
        report(key, value, key.rpartition("_")[2])

    seconds: dict[float, float] = {}
    for share in SHARES:
        texts = source.draw(args.documents, share)
        size = sum(map(len, texts))
        seconds[share] = timed(lambda t=texts: detrans.repair_batch(t))  # type: ignore[misc]
        report(f"repair, {share:.0%} spun", size / seconds[share] / 1e6, "MB/s")
    report("time of 1% spun against none", seconds[0.01] / seconds[0.0], "times")

    spun = source.draw(max(args.documents // 5, 4), 1.0)
    lines = [line for text in spun for line in text.split("\n")]
    ours = timed(lambda: detrans.repair_batch(spun))
    report("repair, all spun", len(lines) / ours, "paragraphs/s")
    rewrite = sentence_generator(detrans, device)
    few = lines[: max(len(lines) // 8, 8)]
    theirs = timed(lambda: rewrite(few)) / len(few)
    report("generate on whole paragraphs", 1 / theirs, "paragraphs/s")
    report("repair against generate", theirs / (ours / len(lines)), "times")

    for length in (200, 1000, 10000):
        texts = source.draw(max(600 * args.documents // length, 2), 1.0, length)
        took = timed(lambda t=texts: detrans.repair_batch(t))  # type: ignore[misc]
        report(f"repair, all spun, documents of {length}", sum(map(len, texts)) / took / 1e6, "MB/s")
    for batch in (1, 16, 256):
        texts = source.draw(max(args.documents // 3, 4), 1.0, 1000)

        def batches(texts: list[str] = texts, batch: int = batch) -> None:
            for i in range(0, len(texts), batch):
                detrans.repair_batch(texts[i : i + batch])

        report(f"repair, all spun, batches of {batch}", sum(map(len, texts)) / timed(batches) / 1e6, "MB/s")

    sentence = source.spun[0]
    report(
        "one spun paragraph", 1000 * timed(lambda: detrans.repair(sentence)), "ms", characters=len(sentence)
    )
    clean = source.draw(args.documents, 0.0)
    size = sum(map(len, clean))
    for peer, function in peers().items():
        took = timed(lambda f=function: [f(t) for t in clean])  # type: ignore[misc]
        report(f"{peer}, clean text", size / took / 1e6, "MB/s")
        report(f"repair of clean text against {peer}", took / seconds[0.0], "times")
    for figure, value in start_up(detrans.config.model).items():
        report(figure, value, figure.rpartition("_")[2])
    if device.type == "cuda":
        report("peak_device_memory_mb", torch.cuda.max_memory_allocated() / 2**20, "MB")

    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"{name.replace(' ', '-')}-{Path(args.model).name}.jsonl"
    common = {"device": name, "threads": torch.get_num_threads(), "signature": detrans.signature}
    path.write_text("".join(json.dumps(row | common) + "\n" for row in rows))
    print(f"written: {path}")


if __name__ == "__main__":
    main()
