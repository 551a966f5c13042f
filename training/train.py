"""Train the span model.

    python -m training.train --corpora DIR --start PRETRAINED_BERT_DIR --minutes 60 --run .cache/run

Data is spun on the fly in worker processes. A checkpoint is written every few minutes; the same
command goes on from it. The learning rate follows the clock, so a run of any length anneals fully.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import BertConfig, BertModel

from detrans.model import Batch, SpanModel
from training.corpora import DEFAULT, locate
from training.examples import IGNORE, MIX, Examples, Labels

HEADS_FASTER = 4.0  # the new heads learn at this multiple of the encoder's rate
DAMAGE_WEIGHT = 0.5


@dataclass
class Progress:
    """What a run has done so far; saved with every checkpoint."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    pieces: int = 1  # how often the run was started


def losses(model: SpanModel, batch: Batch, labels: Labels) -> tuple[torch.Tensor, dict[str, float]]:
    damage, scores = model(batch)
    known = labels.damage >= 0
    damage_loss = nn.functional.binary_cross_entropy_with_logits(damage[known], labels.damage[known])
    choice_loss = nn.functional.cross_entropy(scores, labels.choice, ignore_index=IGNORE)
    with torch.no_grad():
        guess = scores.argmax(-1)
        needed, made = labels.choice > 0, guess > 0
        right = (guess == labels.choice) & needed
        counts = {
            "choice_loss": choice_loss.item(),
            "damage_loss": damage_loss.item(),
            "recall": (right.sum() / needed.sum().clamp(min=1)).item(),
            "precision": (right.sum() / made.sum().clamp(min=1)).item(),
        }
    return choice_loss + DAMAGE_WEIGHT * damage_loss, counts


def mean(records: list[dict[str, float]]) -> dict[str, float]:
    return {k: round(sum(r[k] for r in records) / len(records), 4) for k in records[0]}


def build(start: Path | None, config: Path | None) -> SpanModel:
    if start is not None:
        pretrained = BertModel.from_pretrained(
            start,
            add_pooling_layer=False,
            # The stream never repeats, and drawing masks took a fifth of the time on a CPU.
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            # torch's fused attention is three times slower than the plain one in bf16 on a CPU.
            attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
        )
        model = SpanModel(pretrained.config)
        model.encoder = pretrained
    else:
        if config is None:
            sys.exit("error: give --start PRETRAINED_DIR or --config BERT_CONFIG.json")
        model = SpanModel(BertConfig.from_json_file(config))
    return model


def groups(model: SpanModel, rate: float, frozen: bool) -> list[dict[str, object]]:
    """Parameter groups: encoder and heads; pretrained word vectors stay as they are if `frozen`."""
    vectors = model.encoder.embeddings.word_embeddings.weight
    vectors.requires_grad_(not frozen)
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    inside = {id(p) for p in model.encoder.parameters()}
    heads = [p for p in model.parameters() if id(p) not in inside]
    return [{"params": encoder, "peak": rate}, {"params": heads, "peak": rate * HEADS_FASTER}]


def schedule(done: float) -> float:
    """Share of the peak rate when `done` (0 to 1) of the time is over: warm-up, then cosine to 2%."""
    warm = min(1.0, done / 0.04 + 0.02)
    return warm * (0.02 + 0.98 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


def record(args: argparse.Namespace, lexical: Path) -> dict[str, object]:
    """Everything needed to say how this run came about."""

    def sha(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "arguments": {k: str(v) for k, v in vars(args).items()},
        "data": {name: sha(locate(args.corpora, name)) for name in MIX},
        "lexicon": sha(lexical / "lexicon.safetensors"),
        "commit": commit.stdout.strip(),
        "hardware": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--lexical", type=Path, default=Path("models/lexical"))
    parser.add_argument("--start", type=Path, help="folder of a pretrained BERT encoder")
    parser.add_argument("--config", type=Path, help="BertConfig JSON for a start from scratch")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--roundtrip", type=Path, help="folder of `training.roundtrip damage`")
    parser.add_argument("--warm", type=Path, help="checkpoint whose weights a new run begins with")
    parser.add_argument("--run", type=Path, required=True, help="folder for checkpoints and logs")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--save-minutes", type=float, default=4)
    parser.add_argument("--budget", type=int, default=3072, help="tokens of a batch, padding included")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--thaw", action="store_true", help="train the word vectors too")
    args = parser.parse_args()

    args.run.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    model = build(args.start, args.config).to(device)
    optimizer = torch.optim.AdamW(
        groups(model, args.rate, frozen=args.start is not None and not args.thaw),
        lr=args.rate,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        fused=True,
    )
    progress, checkpoint = Progress(), args.run / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        progress = Progress(**saved["progress"])
        progress.pieces += 1
    elif args.warm is not None:
        own = model.state_dict()
        weights = torch.load(args.warm, map_location=device, weights_only=True)["model"]
        fitting = {k: v for k, v in weights.items() if own[k].shape == v.shape}
        print("new parts:", sorted(own.keys() - fitting.keys()))
        model.load_state_dict(own | fitting)
    (args.run / "record.json").write_text(json.dumps(record(args, args.lexical), indent=1))

    def save() -> None:
        partial = checkpoint.with_suffix(".partial")
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "progress": asdict(progress),
        }
        torch.save(state, partial)
        partial.replace(checkpoint)

    examples = Examples(
        args.corpora,
        args.lexical,
        args.tokenizer,
        args.seed * 1000 + progress.pieces,
        args.budget,
        args.roundtrip,
    )
    loader = iter(DataLoader(examples, batch_size=None, num_workers=args.workers, prefetch_factor=8))
    development = list(islice(loader, 24))  # the first batches are never trained on
    log = (args.run / "log.jsonl").open("a")
    recent: list[dict[str, float]] = []
    started, saved_at, spent = time.time(), time.time(), progress.seconds
    model.train()
    for batch, labels in loader:
        progress.seconds = spent + time.time() - started
        done = progress.seconds / (60 * args.minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * schedule(done)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss, counts = losses(model, batch.to(device), labels.to(device))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        progress.step += 1
        progress.tokens += int(batch.attention.sum())
        recent.append(counts)
        if progress.step % 50 == 0:
            line = {
                "step": progress.step,
                "minutes": round(progress.seconds / 60, 2),
                "tokens": progress.tokens,
            }
            print(json.dumps(line | mean(recent)), file=log, flush=True)
            recent = []
        if time.time() - saved_at > 60 * args.save_minutes:
            save()
            model.eval()
            with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
                figures = mean([losses(model, b.to(device), y.to(device))[1] for b, y in development])
            print(json.dumps({"step": progress.step, "development": figures}), file=log, flush=True)
            model.train()
            saved_at = time.time()
    save()
    print(json.dumps(asdict(progress)), file=log, flush=True)


if __name__ == "__main__":
    main()
