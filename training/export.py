"""Write a trained checkpoint as a model directory: fp16 safetensors, config, tokenizer, manifest.

python -m training.export --run .cache/run --start PRETRAINED_BERT_DIR --output models/small
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig

from training.manifest import write

# What the network needs to be built again; the rest of the pretrained config is its history.
KEPT = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "hidden_act", "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--version", default="1")
    args = parser.parse_args()

    saved = torch.load(args.run / "checkpoint.pt", map_location="cpu", weights_only=True)
    args.output.mkdir(parents=True, exist_ok=True)
    save_file(
        {k: v.half().contiguous() for k, v in saved["model"].items()}, args.output / "weights.safetensors"
    )
    shutil.copyfile(args.start / "tokenizer.json", args.output / "tokenizer.json")
    encoder = BertConfig.from_pretrained(args.start).to_dict()
    path = args.output / "config.json"
    # A new export keeps the calibration until `training.calibrate` writes another.
    config = json.loads(path.read_text()) if path.exists() else {}
    config.setdefault("threshold", 0.9)
    config.setdefault("calibration", {"sentence": [-4.0, 3.0, 3.0, 3.0, 1.0]})
    config |= {
        "version": args.version,
        "encoder": {k: encoder[k] for k in KEPT},
        "training": json.loads((args.run / "record.json").read_text()) | saved["progress"],
    }
    config["training"].pop("arguments", None)
    path.write_text(json.dumps(config, indent=1) + "\n")
    write(args.output)


if __name__ == "__main__":
    main()
