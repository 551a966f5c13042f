"""Run a task over inputs: worker processes, order kept, bounded memory, safe to interrupt.

Memory: the records of at most 2 * workers + 1 chunks are held at once, each of 256 records or a
megabyte (a single record may be larger), whatever the size of the input.

An output grows under a temporary name, chunk by chunk; beside it a journal says how many records of
the input are done and how many bytes that made. After an interruption, `resume` cuts the output back
to the last entry of the journal and goes on from there. Parquet files cannot be continued: an
unfinished one is begun again. Finished outputs are left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

from detrans.corpus.formats import Chunk, Source, chunks, compress, dump, expand
from detrans.corpus.work import Done, Task, Worker
from detrans.errors import DetransError, extra

LOG_SECONDS = 10.0  # between log lines where there is no terminal


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: output (None is standard output), worker processes, resume, file of rejects."""

    output: Path | None = None
    workers: int = 1
    lines: bool = False
    resume: bool = False
    rejects: Path | None = None


@dataclass(slots=True)
class Summary:
    """What a run did. seconds: wall clock; rejects: records that could not be read."""

    documents: int = 0
    kept: int = 0
    flagged: int = 0
    edits: int = 0
    characters: int = 0
    rejects: int = 0
    resumed: int = 0
    seconds: float = 0.0
    signature: str = ""

    def add(self, done: Done) -> None:
        self.documents += done.documents
        self.kept += done.kept
        self.flagged += done.flagged
        self.edits += done.edits
        self.characters += done.characters
        self.rejects += len(done.rejects)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


_worker: Worker | None = None


def _start(task: Task, threads: int) -> None:
    global _worker
    if threads == 1:
        # Several processes share the cores; each with threads of its own they would fight.
        os.environ["OMP_NUM_THREADS"] = "1"
    _worker = Worker(task)


def _work(chunk: Chunk) -> Done:
    assert _worker is not None
    return _worker.work(chunk)


@contextlib.contextmanager
def pool(task: Task, workers: int) -> Iterator[Any]:
    """A function from chunks to finished chunks, in order: in this process, or in several."""
    if workers <= 1:
        worker = Worker(task)
        yield lambda stream: ((chunk, worker.work(chunk)) for chunk in stream)
        return
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(task, 1)
    ) as executor:

        def ordered(stream: Iterator[Chunk]) -> Iterator[tuple[Chunk, Done]]:
            waiting: deque[tuple[Chunk, Future[Done]]] = deque()
            try:
                for chunk in stream:
                    waiting.append((chunk, executor.submit(_work, chunk)))
                    if len(waiting) > 2 * workers:
                        done, future = waiting.popleft()
                        yield done, future.result()
                while waiting:
                    done, future = waiting.popleft()
                    yield done, future.result()
            except BrokenProcessPool as error:
                raise DetransError(
                    "a worker process died (out of memory?); use fewer --workers, then --resume"
                ) from error
            finally:
                for _, future in waiting:
                    future.cancel()

        yield ordered


def run(names: list[str] | None, task: Task, options: Options) -> Summary:
    """Do `task` for all inputs. DetransError or OSError for what stops the run."""
    started = time.monotonic()
    summary = Summary()
    sources = expand(names, options.lines)
    pairs = targets(sources, options, task)
    progress = _Progress(sources, quiet=options.output is None)
    with pool(task, options.workers) as ordered, _rejects(options) as reject, progress:
        for source, target in pairs:
            sink = _sink(target, source, task, options.resume)
            if sink is None:
                continue
            with sink:
                summary.resumed += sink.records
                for chunk, done in ordered(chunks(source, sink.records)):
                    for number, reason in done.rejects:
                        reject(source.path, number, reason)
                    last = chunk.first + (chunk.table.num_rows if chunk.table else len(chunk.items)) - 1
                    sink.write(done, last)
                    summary.add(done)
                    progress.update(summary)
    summary.seconds = round(time.monotonic() - started, 2)
    summary.signature = Worker(task).signature
    return summary


def targets(sources: list[Source], options: Options, task: Task) -> list[tuple[Source, Path | None]]:
    """Where each input's output goes: standard output, one file, or a file each in a folder."""
    output = options.output
    if output is None:
        if any(s.kind == "parquet" for s in sources) and not (task.as_json or task.detect):
            raise DetransError("Parquet cannot go to standard output; give -o FILE.parquet or --json")
        return [(s, None) for s in sources]
    folder = output.is_dir() or len(sources) > 1
    if folder and output.exists() and not output.is_dir():
        raise DetransError(f"{output} is a file, but there are {len(sources)} inputs: -o must name a folder")
    pairs = [(s, output / s.relative if folder else output) for s in sources]
    seen: dict[Path, str] = {}
    for source, target in pairs:
        if target in seen:
            raise DetransError(f"{seen[target]} and {source.path} would both be written to {target}")
        seen[target] = source.path
        if source.path != "-" and target.exists() and target.samefile(source.path):
            raise DetransError(f"{target} is input and output at once; write to another file")
    return list(pairs)


@contextlib.contextmanager
def _rejects(options: Options) -> Iterator[Any]:
    """A function that notes a bad record; without a file for them the first one stops the run."""
    if options.rejects is None:

        def stop(source: str, number: int, reason: str) -> None:
            raise DetransError(f"{source}:{number}: {reason}; or note such records with --rejects FILE")

        yield stop
        return
    known = set()  # an interrupted run may have noted more than its output's journal tells of
    if options.resume and options.rejects.exists():
        for line in options.rejects.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            known.add((entry["source"], entry["record"]))
    with options.rejects.open("a" if options.resume else "w", encoding="utf-8") as file:

        def note(source: str, number: int, reason: str) -> None:
            if (source, number) in known:
                return
            file.write(dump({"source": source, "record": number, "reason": reason}))
            file.flush()

        yield note


class _Sink:
    """Where finished chunks of one input go. `records`: how many an earlier run has done."""

    records = 0

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None: ...

    def write(self, done: Done, last: int) -> None:
        raise NotImplementedError


class _Stdout(_Sink):
    def write(self, done: Done, last: int) -> None:
        sys.stdout.buffer.write(done.output)
        sys.stdout.buffer.flush()


class _File(_Sink):
    """A file under a temporary name with its journal; it gets its own name when it is whole."""

    def __init__(self, target: Path, resume: bool) -> None:
        self._target, self._resume = target, resume
        self._partial = target.with_name(target.name + ".partial")
        self._journal = target.with_name(target.name + ".journal")
        self._compression = target.suffix
        self._file: BinaryIO | None = None
        if resume and self._partial.exists() and self._journal.exists():
            entries = self._journal.read_text(encoding="utf-8").split("\n")
            if len(entries) > 1 and entries[-2]:
                self.records, size = json.loads(entries[-2])
                with self._partial.open("r+b") as file:
                    file.truncate(size)

    def __enter__(self) -> _File:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("ab" if self.records else "wb")
        self._log = self._journal.open("a" if self.records else "w", encoding="utf-8")
        return self

    def write(self, done: Done, last: int) -> None:
        assert self._file is not None
        if done.output:
            self._file.write(compress(done.output, self._compression))
        self._file.flush()
        self._log.write(json.dumps([last, self._file.tell()]) + "\n")
        self._log.flush()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        assert self._file is not None
        self._file.close()
        self._log.close()
        if kind is None:
            self._partial.replace(self._target)
            self._journal.unlink()
        elif not self._resume and isinstance(error, DetransError):
            # Bad input, not an interruption: there is nothing to go on from.
            self._partial.unlink()
            self._journal.unlink()


class _Parquet(_Sink):
    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial = target.with_name(target.name + ".partial")
        self._writer: Any = None

    def write(self, done: Done, last: int) -> None:
        if self._writer is None:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._writer = extra("pyarrow.parquet").ParquetWriter(self._partial, done.table.schema)
        self._writer.write_table(done.table)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._writer is not None:
            self._writer.close()
        if kind is None and self._writer is not None:
            self._partial.replace(self._target)
        else:
            self._partial.unlink(missing_ok=True)


def _sink(target: Path | None, source: Source, task: Task, resume: bool) -> _Sink | None:
    """Where the output of an input goes; None if an earlier run has finished it."""
    if target is None:
        return _Stdout()
    if resume and target.exists():
        return None
    if source.kind == "parquet" and not task.as_json and not task.detect:
        return _Parquet(target)
    return _File(target, resume)


class _Progress:
    """A bar on a terminal, now and then a line elsewhere; nothing when results go to stdout."""

    def __init__(self, sources: list[Source], quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._said = self._started = time.monotonic()
        sizes = [Path(s.path).stat().st_size for s in sources if s.path != "-" and Path(s.path).exists()]
        # Characters of compressed or columnar input cannot be known beforehand.
        plain = not any(s.compression or s.kind == "parquet" or s.path == "-" for s in sources)
        self._total = sum(sizes) if plain else None

    def __enter__(self) -> _Progress:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn(),
                console=Console(stderr=True),
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def update(self, summary: Summary) -> None:
        if self._quiet:
            return
        now = time.monotonic()
        rate = summary.characters / max(now - self._started, 1e-6) / 1e6
        share = summary.flagged / max(summary.documents, 1)
        text = f"{summary.documents:,} documents, {rate:.2f} MB/s, {share:.1%} flagged"
        if self._bar is not None:
            self._bar.update(self._task, completed=summary.characters, description=text)
        elif now - self._said > LOG_SECONDS:
            self._said = now
            print(f"detrans: {text}", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
