"""For clusters, on Ray Data: `detrans.ray.clean(dataset, "text")`, and `detrans clean --ray`."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from detrans.assets import model_directory
from detrans.config import Config
from detrans.corpus.formats import expand
from detrans.corpus.run import Options, Summary, targets
from detrans.corpus.run import run as run_here
from detrans.corpus.work import Task
from detrans.datasets import SCORE, Clean
from detrans.errors import DetransError, extra


class Actor(Clean):
    """Cleans Arrow tables; Ray makes one in each of its worker processes."""

    def __call__(self, table: Any) -> Any:
        import pyarrow as arrow

        self.check(table.schema.names)
        at = table.schema.get_field_index(self.column)
        texts, scores = self.repaired(table.column(at).to_pylist())
        table = table.set_column(at, self.column, arrow.array(texts, table.schema.field(at).type))
        return table.append_column(SCORE, arrow.array(scores, arrow.float64())) if self.add_score else table


def clean(
    dataset: Any,
    column: str = "text",
    *,
    add_score: bool = False,
    concurrency: int | tuple[int, int] | None = None,
    batch_size: int = 256,
    num_cpus: float = 1,
    num_gpus: float = 0,
    **options: Any,
) -> Any:
    """A Ray dataset with its texts repaired and all other columns as they were; computed lazily.

    add_score: whether to add the column `detrans_score` (0 to 1). concurrency: actors at most, or
    (least, most); None: as many as there is room for. num_cpus, num_gpus: what each takes. Options
    are the fields of `Config`. What a lost node was doing, Ray does again elsewhere.
    """
    pool, config = _pool(concurrency), _absolute(Config().with_options(**options))
    return dataset.map_batches(
        Actor,
        fn_constructor_args=(column, add_score),
        fn_constructor_kwargs=vars(config),
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=pool,
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        zero_copy_batch=True,
    )


def _pool(concurrency: int | tuple[int, int] | None, **options: Any) -> Any:
    # One actor is enough to go on with: a pool of fixed size would wait for the room of a lost node.
    least, most = concurrency if isinstance(concurrency, tuple) else (1, concurrency)
    return extra("ray.data", "ray").ActorPoolStrategy(min_size=least, max_size=most, **options)


def _absolute(config: Config) -> Config:
    # An actor has a working directory of its own.
    paths = [name for name in ("lexicon", "keep") if isinstance(getattr(config, name), str)]
    if config.model != "none" and model_directory(config.model) == Path(config.model):
        paths.append("model")
    return config.with_options(**{name: str(Path(getattr(config, name)).resolve()) for name in paths})


class FileActor:
    """Does whole files, as `detrans clean` does them on one machine."""

    def __init__(self, task: Task, options: Options) -> None:
        self.task, self.options = task, options

    def __call__(self, row: dict[str, str]) -> dict[str, Any]:
        target = Path(row["target"])
        rejects = _rejects(target) if self.options.rejects else None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            done = run_here([row["source"]], self.task, replace(self.options, output=target, rejects=rejects))
        except (DetransError, OSError) as error:
            return {"error": str(error)} | Summary().to_dict()
        return {"error": ""} | done.to_dict()


def run(
    names: list[str] | None, task: Task, options: Options, address: str, workers: int | None = None
) -> Summary:
    """Do `task` on the cluster at `address` ("local" starts one here), a file at a time in each actor.

    Every node must reach the files and the output by the same paths. A file that a lost node had not
    finished is begun again; the output of a file appears when it is whole. With device "cuda" each
    actor takes a GPU.
    DetransError for what stops the run.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported unless the user says so
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    ray = extra("ray", "ray")
    sources = expand(names, options.lines)
    pairs = targets(sources, options, task)
    if options.output is None or any(s.path == "-" for s in sources):
        raise DetransError("--ray needs files as input, and -o for the output")
    rows = [{"source": str(Path(s.path).resolve()), "target": str(t and t.resolve())} for s, t in pairs]
    task = replace(task, config=_absolute(task.config))
    gpus = int((task.config.device or "").startswith("cuda"))
    started, counts, signature = time.monotonic(), Counter[str](), ""
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ValueError, RuntimeError, OSError) as error:
        raise DetransError(f"no Ray cluster at {address!r} ({error}); --ray local starts one here") from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = sys.stderr.isatty()
        files = ray.data.from_items(rows, override_num_blocks=len(rows))
        pool = _pool((1, workers or len(rows)), max_tasks_in_flight_per_actor=2)
        done = files.map(
            FileActor, fn_constructor_args=(task, options), compute=pool, num_cpus=1, num_gpus=gpus
        )
        for row in done.iter_rows():
            if wrong := row.pop("error"):
                raise DetransError(wrong)
            signature = row.pop("signature")
            counts.update(row)
    except ray.exceptions.RayError as error:
        raise DetransError(f"the cluster at {address} failed: {error}") from error
    finally:
        ray.shutdown()
    if options.rejects is not None:
        parts = [part for row in rows if (part := _rejects(Path(row["target"]))).exists()]
        with options.rejects.open("ab" if options.resume else "wb") as file:
            for part in parts:
                file.write(part.read_bytes())
                part.unlink()
    counts.pop("seconds")
    return Summary(**counts, seconds=round(time.monotonic() - started, 2), signature=signature)


def _rejects(target: Path) -> Path:
    return target.with_name(target.name + ".rejects")
