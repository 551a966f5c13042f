"""Train the judge's language model on damaged text: `adapter.safetensors` of a model directory.

    python -m training.tune --corpora DIR --minutes 75 [--resume] [--device cuda]
    torchrun --nproc-per-node 2 -m training.tune …   # several processes share each step

At each doubtful place of a damaged text the model should find what stood there likelier than the
phrase and than all other candidates, and a sound phrase likeliest as it is. What is trained is a
low-rank change of each matrix of the upper layers (LoRA, Hu et al. 2021); the packed weights stay.

Most steps see text spun on the fly, with the pairs and the family that `synthetic` keeps from
training left out; the others see the texts of `WRITTEN`, those in the manner of that family left out.
In all of them some of the damage is repaired already, as it will be where the judge asks.
The judge is trained on the other written texts, so that it meets likelihoods of text unknown to both.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, distributed, nn
from torch.nn import functional

from benchmarks.testsets import DATA
from detrans import Detrans
from detrans.assets import read_config
from detrans.batches import batches
from detrans.context import Repaired
from detrans.edits import Edit
from detrans.judge import Case, doubtful, log
from detrans.lexicon import Lexicon, subset
from detrans.lexicon.compiled import shipped_forms
from detrans.llama import Llama
from detrans.lm import LanguageModel, Place, Window
from detrans.scorers import LexicalScorer
from detrans.spin import Spinner
from training.corpora import DEFAULT
from training.examples import HIDDEN, labelled_by_spinner, stream
from training.manifest import write
from training.texts import JUDGED, WRITTEN, drawn, labelled_by_marks, propose, seen, without_own

RANK = 8
LOWEST = 8  # layers below are left as they are
PEAK = 1e-3  # learning rate; falls to nothing as time runs out
WARM = 30  # steps
MIX_PEAK = 5e-3  # of the three weights below
STEP_TOKENS = 1600  # of windows, at least, for one step
LEAST = 0.01  # the proposer's probability of a candidate that is asked for
PLACES = 32  # asked for on one window
GPU_BATCH = 16_384  # tokens at once on a GPU, padding included
OWN = 0.4  # share of the steps on written texts
WINDOWS = 1  # of one spun document
# Which process of how many this is, as torchrun says.
NUMBER, PROCESSES = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


@dataclass(frozen=True, slots=True)
class Question:
    """A doubtful place in a window: what the proposer thinks (ln P) of *keep* and each candidate, and
    which of them are right."""

    prior: list[float]
    right: list[bool]


Asked = tuple[Window, list[Question]]  # in the order of the window's variants
Mend = tuple[int, int, str]  # start, end, what stood there


def asked(
    language: LanguageModel,
    text: str,
    mends: list[Mend],
    questions: list[tuple[Place, Question]],
    rng: random.Random,
) -> list[Asked]:
    """The windows of a text, some of its mends made, and what is asked on each."""
    chosen = zip(mends, drawn(len(mends), rng), strict=True)
    context = Repaired(text, [Edit(*mend, "gold", 1.0, "") for mend, now in chosen if now])
    found = []
    for window in language.windows(context.text, [context.place(place) for place, _ in questions]):
        numbers = list(dict.fromkeys(v.place for v in window.variants))
        some = set(rng.sample(numbers, min(PLACES, len(numbers))))
        window.variants = [v for v in window.variants if v.place in some]
        found.append((window, [questions[n][1] for n in numbers if n in some]))
    return found


def prior(case: Case) -> list[float]:
    return [log(case.scored.keep), *(log(case.scored.probabilities[i]) for i in case.candidates)]


def written(language: LanguageModel, path: Path, rng: random.Random) -> list[Asked]:
    """The windows of the texts of a gold file that are not in the manner of the unseen family."""
    detrans = without_own(path)
    found: list[Asked] = []
    for text, marks in seen(path):
        document, _, scored = propose(detrans._counting, detrans._lexicon, text)
        cases = labelled_by_marks(doubtful(document, scored, LEAST), text, marks)
        questions = [(case.place, Question(prior(case), labels)) for case, labels in cases]
        mends = [(start, end, accepted[0]) for start, end, _, accepted in marks]
        found += asked(language, text, mends, questions, rng)
    return found


def spun(
    language: LanguageModel, corpora: Path, scorer: LexicalScorer, rng: random.Random
) -> Iterator[Asked]:
    """Endless windows of documents damaged on the fly."""
    lexicon = Lexicon(subset(shipped_forms(), lambda form: not form.held_out))
    for damaged in stream(corpora, rng, Spinner(lexicon)):
        document, _, scored = propose(scorer, lexicon, damaged.text)
        cases = labelled_by_spinner(doubtful(document, scored, LEAST), damaged, rng, HIDDEN)
        questions = [(case.place, Question(prior(case), labels)) for case, labels in cases]
        mends = [(s.start, s.end, s.original) for s in damaged.spans]
        found = asked(language, damaged.text, mends, questions, rng)
        yield from rng.sample(found, min(WINDOWS, len(found)))


class Tuned(Llama):
    """A Llama with low-rank changes beside its matrices: `name.down` (R, in), `name.up` (out, R)."""

    def __init__(self, network: Llama, adapter: dict[str, Tensor]) -> None:
        self.__dict__.update(network.__dict__)
        self._adapter = adapter

    def _linear(self, name: str, x: Tensor) -> Tensor:
        y = super()._linear(name, x)
        if f"{name}.down" not in self._adapter:
            return y
        down, up = self._adapter[f"{name}.down"].to(x.dtype), self._adapter[f"{name}.up"].to(x.dtype)
        return y + functional.linear(functional.linear(x, down), up)


def fresh(network: Llama) -> dict[str, Tensor]:
    """An adapter that changes nothing yet."""
    adapter = {}
    for name, weight in network.weights.items():
        parts = name.split(".")
        if parts[0] == "layers" and weight.dim() == 2 and int(parts[1]) >= LOWEST:
            base, (rows, columns) = name.removesuffix(".weight"), weight.shape
            adapter[f"{base}.down"] = torch.randn(RANK, columns) / math.sqrt(columns)
            adapter[f"{base}.up"] = torch.zeros(rows, RANK)
    return adapter


def losses(language: LanguageModel, group: list[Asked], mix: Tensor) -> tuple[Tensor, int, int]:
    """-ln P(right) of each question (N,); how many had to be repaired, and how many of these would be."""
    device = language.device
    totals = language.log_probabilities([window for window, _ in group]).sum(1)
    result, at, damaged, repaired = [], 0, 0, 0
    for question in (q for _, questions in group for q in questions):
        scores = totals[at : at + len(question.right)] * mix[0].exp()
        scores = scores + torch.tensor(question.prior, device=device) * mix[1]
        scores = scores + mix[2] * (torch.arange(len(scores), device=device) == 0)
        right = torch.tensor(question.right, device=device)
        result.append(scores.logsumexp(0) - scores[right].logsumexp(0))
        at += len(scores)
        if not question.right[0]:
            damaged += 1
            repaired += bool(right[scores.argmax()])
    return torch.stack(result), damaged, repaired


def summed(tensor: Tensor) -> Tensor:
    """A tensor summed over all processes of a run (see torchrun)."""
    if distributed.is_initialized():
        distributed.all_reduce(tensor)
    return tensor


def endless(texts: list[Asked], rng: random.Random) -> Iterator[Asked]:
    while True:
        yield from rng.sample(texts, len(texts))


class Run:
    """What a run has reached, kept in a folder so that it can go on."""

    def __init__(self, language: LanguageModel, folder: Path, resume: bool) -> None:
        self.language, self._folder = language, folder
        self.adapter = {k: nn.Parameter(v.to(language.device)) for k, v in fresh(language.network).items()}
        # How the likelihoods and the proposer are weighed here; the judge learns to do that anew.
        self.mix = nn.Parameter(torch.tensor([math.log(0.4), 0.5, 1.0], device=language.device))
        self.trained = [*self.adapter.values(), self.mix]
        groups = [{"params": list(self.adapter.values())}, {"params": [self.mix]}]
        self._optimizer = torch.optim.AdamW(groups, lr=PEAK, weight_decay=0.0)
        self.step, self.tokens, self.spent = 0, 0, 0.0
        if resume:
            stored = torch.load(folder / "state.pt", weights_only=True)
            self.step, self.tokens, self.spent = stored["reached"]
            self._optimizer.load_state_dict(stored["optimizer"])
            with torch.no_grad():
                for parameter, value in zip(self.trained, stored["trained"], strict=True):
                    parameter.copy_(value)
        language.network = Tuned(language.network, dict(self.adapter))

    def learn(self, some: list[Asked], budget: int | None, left: float) -> float:
        """One step; `left` is the share of the run still to come. Mean loss, all processes together."""
        count = summed(torch.tensor(float(sum(len(questions) for _, questions in some))))
        self._optimizer.zero_grad()
        total = torch.zeros(())
        for group in batches(some, lambda x: x[0].size(), budget):
            loss = losses(self.language, group, self.mix)[0].sum() / count.to(self.language.device)
            torch.autograd.backward(loss)
            total += loss.detach().cpu()
        if distributed.is_initialized():
            flat = summed(torch.cat([p.grad.flatten() for p in self.trained if p.grad is not None]))
            for p, part in zip(
                self.trained, torch.split(flat, [p.numel() for p in self.trained]), strict=True
            ):
                p.grad = part.view_as(p)
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        for settings, peak in zip(self._optimizer.param_groups, (PEAK, MIX_PEAK), strict=True):
            settings["lr"] = peak * min(1.0, (self.step + 1) / WARM) * left
        self._optimizer.step()
        self.step += 1
        self.tokens += int(summed(torch.tensor(sum(window.size() for window, _ in some))))
        return float(summed(total))

    @torch.no_grad()
    def evaluate(self, held: list[Asked], budget: int | None) -> dict[str, float]:
        """Loss and share of the damaged places that would be repaired, of held-out windows."""
        sums = torch.zeros(4)
        for group in batches(held, lambda x: x[0].size(), budget):
            found, damaged, repaired = losses(self.language, group, self.mix)
            sums += torch.tensor([float(found.sum()), len(found), damaged, repaired])
        loss, count, damaged, repaired = summed(sums).tolist()
        return {"held_loss": round(loss / count, 4), "held_repaired": round(repaired / damaged, 4)}

    def save(self) -> None:
        if NUMBER > 0:
            return
        write_adapter(self.adapter, self._folder)
        new = self._folder / "state.new"
        torch.save(
            {
                "reached": (self.step, self.tokens, self.spent),
                "optimizer": self._optimizer.state_dict(),
                "trained": [p.detach() for p in self.trained],
            },
            new,
        )
        new.replace(self._folder / "state.pt")

    def tell(self, **more: object) -> None:
        line = json.dumps({"step": self.step, "tokens": self.tokens, "minutes": round(self.spent, 1), **more})
        if NUMBER > 0:
            return
        print(line, flush=True)
        with (self._folder / "log.jsonl").open("a") as file:
            file.write(line + "\n")


def write_adapter(adapter: Mapping[str, Tensor], directory: Path) -> None:
    tensors = {name: p.detach().half().cpu().contiguous() for name, p in adapter.items()}
    save_file(tensors, directory / "adapter.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT)
    parser.add_argument("--model", type=Path, default=Path("models/base"))
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--evaluate", type=float, default=12, help="minutes between evaluations")
    parser.add_argument("--device", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".cache/tune"))
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()

    if PROCESSES > 1:
        distributed.init_process_group("gloo")
    torch.manual_seed(args.seed)
    args.folder.mkdir(parents=True, exist_ok=True)
    language = LanguageModel(args.model, read_config(args.model), args.device, adapted=False)
    run = Run(language, args.folder, args.resume)
    budget = GPU_BATCH if language.device.type == "cuda" else None
    rng = random.Random(f"{args.seed}/{run.step}/{NUMBER}")  # pieces of a run see other text
    paths = [path for path in sorted(WRITTEN.glob("*.gold")) if path.stem not in JUDGED]
    texts = [window for path in paths for window in written(language, path, rng)]
    held = written(language, DATA / "written_dev.gold", random.Random(0))[::4][NUMBER::PROCESSES]
    sources = [endless(texts, rng), spun(language, args.corpora, Detrans()._counting, rng)]

    begun = time.monotonic() - 60 * run.spent
    due, recent = run.spent, []
    while run.spent < args.minutes:
        if run.spent >= due:
            run.tell(**run.evaluate(held, budget), mix=[round(x, 3) for x in run.mix.tolist()])
            due += args.evaluate
            run.save()
        source = sources[rng.random() >= OWN]
        some: list[Asked] = []
        while sum(window.size() for window, _ in some) < STEP_TOKENS / PROCESSES:
            some.append(next(source))
        recent.append(run.learn(some, budget, 1 - run.spent / args.minutes))
        run.spent = float(summed(torch.tensor((time.monotonic() - begun) / 60))) / PROCESSES
        if run.step % 20 == 0:
            run.tell(loss=round(sum(recent) / len(recent), 4))
            recent = []
    run.tell(**run.evaluate(held, budget), mix=[round(x, 3) for x in run.mix.tolist()])
    run.save()
    if NUMBER == 0:
        write_adapter(run.adapter, args.model)
        write(args.model)


if __name__ == "__main__":
    main()
