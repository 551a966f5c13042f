"""What others do with the same text: passes that users know, and rewriting whole sentences.

The sentence writers are decoders of the shape of the model that detrans reads with; where that is an encoder,
of its width, depth and size. Their weights are random, since only their speed counts: each writes as many
tokens as it reads.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from detrans.assets import model_directory, read_config
from detrans.lexicon import Lexicon
from detrans.lexicon.compiled import shipped_forms
from detrans.lm import fast_bfloat16

TOGETHER = 32  # sentences of about one length
Rewrite = Callable[[list[str]], object]


def passes() -> dict[str, Callable[[str], object]]:
    """Functions of one text, where they are installed."""
    found: dict[str, Callable[[str], object]] = {}
    try:
        import ftfy

        found["ftfy fix_text"] = ftfy.fix_text
    except ImportError:
        _missing("ftfy")
    try:
        from flashtext import KeywordProcessor

        processor = KeywordProcessor()
        lexicon = Lexicon(shipped_forms())
        for phrase, forms in zip(lexicon.phrases, lexicon.candidates, strict=True):
            processor.add_keyword(phrase, forms[0].original)
        found["flashtext, our lexicon"] = processor.extract_keywords
    except ImportError:
        _missing("flashtext")
    return found


def _missing(name: str) -> None:
    print(f"({name} is not installed: pip install {name})", file=sys.stderr)


def writers(model: str, device: torch.device) -> dict[str, Rewrite]:
    """Functions that rewrite sentences, by transformers and, where it is installed, CTranslate2."""
    directory = model_directory(model)
    config = read_config(directory)
    names = [directory / name for name in ("language.json", "tokenizer.json")]
    tokenizer = Tokenizer.from_file(str(next(path for path in names if path.exists())))
    tokenizer.no_padding()
    decoder = _decoder(_shape(config))
    found = {"transformers generate": _by_transformers(decoder, tokenizer, device)}
    if find_spec("ctranslate2") is None:
        _missing("ctranslate2")
        return found
    for kind in ("float32", "int8") if device.type == "cpu" else ("bfloat16",):
        found[f"CTranslate2 {kind}"] = _by_ctranslate2(decoder, tokenizer, device, kind)
    return found


def _shape(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of a Llama like the model of this config."""
    if "language" in config:
        shape = {k: v for k, v in config["language"].items() if k != "rope_theta"}
        return {"vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, **shape}
    encoder = config["encoder"]
    return {
        "vocab_size": encoder["vocabulary"],
        "hidden_size": encoder["width"],
        "intermediate_size": encoder["width"] * 8 // 3,  # three matrices of a Llama for two of an encoder
        "num_hidden_layers": encoder["layers"],
        "num_attention_heads": encoder["heads"],
    }


def _decoder(shape: dict[str, Any]) -> Any:
    import transformers

    model: Any = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
    return model.eval()


def _groups(tokenizer: Tokenizer, lines: list[str]) -> list[list[list[int]]]:
    encoded = sorted((tokenizer.encode(line).ids for line in lines), key=len)
    return [encoded[i : i + TOGETHER] for i in range(0, len(encoded), TOGETHER)]


def _by_transformers(decoder: Any, tokenizer: Tokenizer, device: torch.device) -> Rewrite:
    dtype = torch.bfloat16 if fast_bfloat16(device) else torch.float32
    model = copy.deepcopy(decoder).to(device, dtype)

    @torch.inference_mode()
    def rewrite(lines: list[str]) -> None:
        for group in _groups(tokenizer, lines):
            longest = max(map(len, group))
            ids = torch.tensor([[0] * (longest - len(g)) + g for g in group], device=device)
            mask = (ids != 0).long()
            model.generate(ids, attention_mask=mask, max_new_tokens=longest, min_new_tokens=longest)

    return rewrite


def _by_ctranslate2(decoder: Any, tokenizer: Tokenizer, device: torch.device, kind: str) -> Rewrite:
    import ctranslate2
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        decoder.float().save_pretrained(Path(folder) / "source")
        end = next(t for t in ("<|endoftext|>", "[SEP]") if tokenizer.token_to_id(t) is not None)
        special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), end)
        made: Any = transformers.PreTrainedTokenizerFast
        fast = made(tokenizer_object=tokenizer, **special)
        fast.save_pretrained(Path(folder) / "source")
        converter = ctranslate2.converters.TransformersConverter(str(Path(folder) / "source"))
        converter.convert(str(Path(folder) / "converted"))
        generator = ctranslate2.Generator(
            str(Path(folder) / "converted"),
            device.type,
            compute_type=kind,
            intra_threads=torch.get_num_threads(),
        )

    def rewrite(lines: list[str]) -> None:
        for group in _groups(tokenizer, lines):
            longest = max(map(len, group))
            prompts = [[tokenizer.id_to_token(i) for i in ids] for ids in group]
            generator.generate_batch(
                prompts, max_length=longest, min_length=longest, include_prompt_in_result=False
            )

    return rewrite
