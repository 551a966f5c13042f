"""Score a document's matches with the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import BertConfig

from detrans.batches import batches
from detrans.document import Document
from detrans.encode import Encoder, Passage, Span, collate
from detrans.errors import ModelError
from detrans.features import Features, Phrasebook
from detrans.model import SpanModel
from detrans.ngrams import NgramModel
from detrans.normalise import Scored
from detrans.scorers import Judgement
from detrans.segment import sentence_spans

BUDGET = 32_768  # tokens of a batch on a GPU, padding included


def load_network(directory: Path, config: dict[str, Any]) -> SpanModel:
    """The network with the weights in `directory`, in single precision."""
    weights = {k: v.float() for k, v in load_file(directory / "weights.safetensors").items()}
    # Nothing is drawn at random only to be overwritten.
    with torch.device("meta"):
        network = SpanModel(BertConfig(**config["encoder"]))
    network.load_state_dict(weights, assign=True)
    # What the library keeps beside the weights and saves nowhere.
    embeddings = network.encoder.embeddings
    places = torch.arange(embeddings.position_ids.shape[-1]).unsqueeze(0)
    embeddings.register_buffer("position_ids", places, persistent=False)
    embeddings.register_buffer("token_type_ids", torch.zeros_like(places), persistent=False)
    return network


class NeuralScorer:
    """The shipped network. On the CPU one passage at a time, so that a batch changes no bit."""

    def __init__(
        self, directory: Path, config: dict[str, Any], ngrams: NgramModel, device: str | None = None
    ) -> None:
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            network = load_network(directory, config)
            dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
            self._network = network.to(self.device, dtype).eval()
        except (RuntimeError, TypeError, KeyError, OSError, SafetensorError) as error:
            raise ModelError(
                f"cannot load the model in {directory} onto {device or 'the device'}: {error}"
            ) from error
        self._encoder = Encoder(directory / "tokenizer.json")
        self._book = Phrasebook(ngrams)

    def score(self, documents: Sequence[tuple[Document, int]]) -> list[Judgement]:
        judgements = [Judgement([]) for _ in documents]
        passages: list[tuple[int, Passage]] = []
        for number, (document, level) in enumerate(documents):
            features = Features(document, level, self._book)
            spans: list[Span] = []
            for passage in self._encoder.passages(document, sentence_spans(document.text), level):
                if passage.spans:  # without a match there is nothing to decide
                    passages.append((number, passage))
                    spans += passage.spans
            self._encoder.describe(features, spans)
        for group in self._batches(passages):
            self._run(group, judgements)
        for judgement in judgements:
            judgement.scored.sort(key=lambda s: (s.match.start, -s.match.end))
            judgement.damage.sort()
        return judgements

    def _batches(self, passages: list[tuple[int, Passage]]) -> Iterator[list[tuple[int, Passage]]]:
        return batches(passages, lambda p: len(p[1].tokens), None if self.device.type == "cpu" else BUDGET)

    @torch.inference_mode()
    def _run(self, group: list[tuple[int, Passage]], judgements: list[Judgement]) -> None:
        tokens, scores = self._network(collate([p for _, p in group]).to(self.device))
        rows = torch.sigmoid(tokens).tolist()
        values = iter(torch.softmax(scores, -1).tolist())
        for (number, passage), row in zip(group, rows, strict=True):
            judgement = judgements[number]
            judgement.damage.extend((a, b, p) for (a, b), p in zip(passage.offsets, row[2:], strict=False))
            for span in passage.spans:
                keep, *rest = next(values)
                judgement.scored.append(Scored(span.match, keep, rest[: len(span.pieces) - 1]))
