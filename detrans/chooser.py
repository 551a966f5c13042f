"""The small second stage: an encoder looks once at the text around each doubtful place and chooses.

Less sure than the judge, which asks a language model about every candidate, and far faster.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from detrans.batches import batches
from detrans.encoder import Encoder, Passage, collate
from detrans.errors import ModelError
from detrans.fourbit import unpack_all
from detrans.judge import Case, CaseFeatures, Proposed, doubtful, settled
from detrans.lm import GPU_TOKENS, Likelihood, placed, plain_characters
from detrans.ngrams import Numbers
from detrans.normalise import Scored
from detrans.scorers import softmax
from detrans.threads import separately

WINDOW = 256  # tokens of a passage
EDGE = 32  # of them at either end, that are only looked at from the places between
LONGEST = 8  # tokens of a phrase that count
UNKNOWN = 100  # the token of a phrase that has none
UNREAD = Likelihood(0.0, 0.0)


class Reader:
    """Cuts proposals into the passages that the encoder reads.

    tokenizer: of the encoder.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        # Its file may ask for both, as that of all-MiniLM-L6-v2 does: a text would end after 128 tokens.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._pieces = lru_cache(maxsize=100_000)(self._encode)

    def _encode(self, phrase: str) -> tuple[int, ...]:
        ids = self._tokenizer.encode(plain_characters(phrase), add_special_tokens=False).ids
        return tuple(ids[:LONGEST]) or (UNKNOWN,)

    def tokens(self, text: str) -> tuple[list[int], list[int], list[int]]:
        """The tokens of a text, and where each begins and ends."""
        encoding = self._tokenizer.encode(plain_characters(text), add_special_tokens=False)
        return encoding.ids, [a for a, _ in encoding.offsets], [b for _, b in encoding.offsets]

    def passages(self, proposed: Proposed, cases: Sequence[Case]) -> Iterator[tuple[int, list[int], Passage]]:
        """The passages of a document that its doubtful places need, each with the number of its first token
        and those of its places."""
        document, level, scored = proposed
        # The rows are the judge's; what a language model would say of them is not known.
        unread = [replace(c, likelihoods=len(c.place.phrases) * (UNREAD,)) for c in cases]
        rows, starts = CaseFeatures(document, level, scored, unread).rows()
        each = np.split(rows, starts)[1:]
        ids, begins, ends = self.tokens(document.text)
        count = max(len(ids), 1)
        first = np.minimum([bisect_right(ends, c.place.start) for c in cases], count - 1)
        last = np.maximum([bisect_left(begins, c.place.end) - 1 for c in cases], first)
        for low, high, start, end in windows(count):
            some = np.flatnonzero((first >= start) & (first < end)).tolist()
            if some:
                sizes = np.array([len(each[n]) for n in some])
                yield (
                    low,
                    some,
                    Passage(
                        ids[low:high],
                        (first[some] - low).tolist(),
                        (np.minimum(last[some], high - 1) - low).tolist(),
                        np.concatenate([each[n] for n in some]),
                        (np.cumsum(sizes) - sizes).tolist(),
                        [self._pieces(phrase) for n in some for phrase in cases[n].place.phrases],
                    ),
                )


def windows(count: int) -> Iterator[tuple[int, int, int, int]]:
    """The passages [low, high) of so many tokens, each with the stretch [start, end) whose places are its."""
    low, start = 0, 0
    while True:
        high = min(low + WINDOW, count)
        end = count if high == count else high - EDGE
        yield low, high, start, end
        if high == count:
            return
        low, start = end - EDGE, end


class Chooser:
    """Chooses anew what a proposer doubts; weights in `directory`/encoder.safetensors.

    config: the model's settings; its "encoder" entry is that of an `Encoder`.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any], device: str | None = None) -> None:
        try:
            self.device, dtype = placed(device)
            self.encoder = Encoder(config["encoder"]).to(self.device, dtype).eval().requires_grad_(False)
            stored = load_file(directory / "encoder.safetensors", str(self.device))
            self.encoder.load_state_dict(unpack_all(stored, dtype))
            self.reader = Reader(Tokenizer.from_file(str(directory / "tokenizer.json")))
        except Exception as error:  # the tokenizer raises nothing narrower
            raise ModelError(
                f"cannot load the encoder in {directory} onto {device or 'the device'}: {error}"
            ) from error

    def score(self, proposed: Sequence[Proposed]) -> list[list[Scored]]:
        """The matches of each document with the probabilities that hold now, in order.

        On the CPU one passage at a time, so that a batch changes no bit.
        """
        cases = [doubtful(document, scored) for document, _, scored in proposed]
        jobs = [
            (number, places, passage)
            for number, (one, some) in enumerate(zip(proposed, cases, strict=True))
            if some
            for _, places, passage in self.reader.passages(one, some)
        ]
        on_cpu = self.device.type == "cpu"
        pieces = list(batches(jobs, lambda job: len(job[2].tokens), None if on_cpu else GPU_TOKENS))
        with separately(torch.get_num_threads() if on_cpu else 1) as each:
            read = each(lambda piece: self._logits([passage for *_, passage in piece]), pieces)
        logits: list[list[list[float]]] = [[[] for _ in some] for some in cases]
        for piece, values in zip(pieces, map(iter, read), strict=True):
            for number, places, _ in piece:
                for place in places:
                    size = len(cases[number][place].place.phrases)
                    logits[number][place] = list(islice(values, size))
        return [
            settled(scored, some, competing(told)) if some else scored
            for (*_, scored), some, told in zip(proposed, cases, logits, strict=True)
        ]

    def _logits(self, passages: Sequence[Passage]) -> list[float]:
        batch = collate(passages).to(self.device)
        states = self.encoder.states(batch.tokens, batch.padding)
        result: list[float] = self.encoder.scores(states, batch).tolist()
        return result


def competing(logits: Sequence[Sequence[float]]) -> Numbers:
    """Probabilities (N,) from the logits of each place, end to end."""
    sizes = np.array([len(some) for some in logits])
    return softmax(np.array(list(chain.from_iterable(logits))), np.cumsum(sizes) - sizes)
