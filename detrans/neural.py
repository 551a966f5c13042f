"""Score a document's matches with the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import BertConfig

from detrans.document import Document
from detrans.encode import Encoder, Passage, collate
from detrans.errors import ModelError
from detrans.model import SpanModel
from detrans.ngrams import NgramModel
from detrans.normalise import Scored
from detrans.scorers import Judgement
from detrans.segment import sentence_spans


class NeuralScorer:
    """The shipped network. On the CPU one passage at a time, so that a batch changes no bit."""

    def __init__(
        self, directory: Path, config: dict[str, Any], ngrams: NgramModel, device: str | None = None
    ) -> None:
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            network = SpanModel(BertConfig(**config["encoder"]))
            weights = load_file(directory / "weights.safetensors")
            network.load_state_dict({k: v.float() for k, v in weights.items()})
            dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
            self._network = network.to(self.device, dtype).eval()
        except (RuntimeError, TypeError, KeyError, OSError) as error:
            raise ModelError(
                f"cannot load the model in {directory} onto {device or 'the device'}: {error}"
            ) from error
        self._encoder = Encoder(directory / "tokenizer.json", ngrams)

    def score(self, document: Document, level: int) -> Judgement:
        passages = self._encoder.passages(document, sentence_spans(document.text), level)
        for passage in passages:
            for span in passage.spans:
                self._encoder.describe(document, span)
        scored: list[Scored] = []
        damage: list[tuple[int, int, float]] = []
        for group in self._batches(passages):
            self._run(group, scored, damage)
        return Judgement(scored, damage)

    def _batches(self, passages: list[Passage]) -> list[list[Passage]]:
        if self.device.type == "cpu":
            return [[p] for p in passages]
        return [passages[i : i + 64] for i in range(0, len(passages), 64)]

    @torch.inference_mode()
    def _run(
        self, passages: list[Passage], scored: list[Scored], damage: list[tuple[int, int, float]]
    ) -> None:
        tokens, scores = self._network(collate(passages).to(self.device))
        rows = torch.sigmoid(tokens).tolist()
        for passage, row in zip(passages, rows, strict=True):
            damage += [(a, b, p) for (a, b), p in zip(passage.offsets, row[2:], strict=False)]
        probabilities = torch.softmax(scores, -1).tolist()
        spans = [s for p in passages for s in p.spans]
        for span, values in zip(spans, probabilities, strict=True):
            scored.append(Scored(span.match, values[0], values[1 : len(span.pieces)]))
