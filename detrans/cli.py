"""The command line: `detrans clean`, `detrans detect`, `detrans explain`, `detrans report`.

Results go to standard output or to -o and nothing else does; messages go to standard error.
Exit codes: 0 done, 1 something could not be read, written or loaded, 2 wrong usage, 3 done, but
some records were bad and are noted in the file of --rejects.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detrans.config import Config
from detrans.errors import DetransError
from detrans.files import open_output

if TYPE_CHECKING:
    from detrans.corpus.work import Task

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Find and repair machine-made damage (article spinning, translation out and back) in English text.",
)

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE]...",
        help="Files (.txt .jsonl .csv, also .gz .xz .zst, or .parquet), folders, globs; none or - is stdin.",
    ),
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write to this file, or folder for several inputs.")
]
Lines = Annotated[bool, typer.Option(help="Each line of a text file is a document.")]
MinScore = Annotated[float, typer.Option(help="Leave out documents that score less.")]
MaxScore = Annotated[float, typer.Option(help="Leave out documents that score more.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; default: one for each core if there is much to do.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]
Rejects = Annotated[
    Path | None, typer.Option(help="Note bad records here (JSON lines) and go on; exit code 3 tells.")
]
SummaryFile = Annotated[Path | None, typer.Option(help="Write the summary (JSON) here, not to stderr.")]
Field = Annotated[str, typer.Option("--text-field", help="The field of a .jsonl record that holds the text.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a document, with scores and edits.")]
Threshold = Annotated[
    float | None, typer.Option(help="Probability from which an edit is made; default: the model's own.")
]
Model = Annotated[str, typer.Option(help="base, small (faster), none (lexicon only) or a model directory.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ...; default: a GPU where there is one.")]
Lexicon = Annotated[str | None, typer.Option(help="TSV file of your own pairs (columns spun, original).")]
Keep = Annotated[str, typer.Option(help="File of phrases never to touch, one a line.")]
Lookalikes = Annotated[bool, typer.Option(help="Repair look-alike letters inside Latin words.")]
Names = Annotated[bool, typer.Option(help="Mend a name that the document spells two ways.")]
Without = Annotated[
    list[str] | None, typer.Option(metavar="TABLE", help="Leave a table of the lexicon out; may be repeated.")
]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors that users cause or can mend into one plain line and exit code 1."""
    try:
        yield
    except BrokenPipeError:
        # The reader has gone (`| head`); there is nobody to tell.
        sys.stderr.close()
        raise SystemExit(1) from None
    except (DetransError, OSError) as error:
        typer.echo(f"detrans: error: {error}", err=True)
        raise SystemExit(1) from None


@app.command()
def clean(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    as_json: AsJson = False,
    lines: Lines = False,
    add_score: Annotated[bool, typer.Option(help="Add detrans_score to each record.")] = False,
    add_edits: Annotated[bool, typer.Option(help="Add detrans_edits to each record.")] = False,
    min_score: MinScore = 0.0,
    max_score: MaxScore = 1.0,
    filter_only: Annotated[bool, typer.Option(help="Repair nothing: only score and leave out.")] = False,
    workers: Workers = None,
    ray: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Spread the files over this Ray cluster (auto, local ...).")
    ] = "",
    resume: Resume = False,
    rejects: Rejects = None,
    summary: SummaryFile = None,
    threshold: Threshold = None,
    model: Model = "base",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
    lookalikes: Lookalikes = True,
    names: Names = True,
    without: Without = None,
) -> None:
    """Write the documents with their damage repaired and everything else byte for byte as it was."""
    with plain_errors():
        from detrans.corpus.work import Task

        config = Config(
            threshold, device, model, lexicon, keep or (), lookalikes, names, tuple(without or ())
        )
        task = Task(
            config, text_field, False, as_json, not filter_only, add_score, add_edits, min_score, max_score
        )
        process(files, task, output, lines, workers, resume, rejects, summary, ray)


@app.command()
def detect(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    as_json: AsJson = False,
    lines: Lines = False,
    min_score: MinScore = 0.0,
    max_score: MaxScore = 1.0,
    workers: Workers = None,
    resume: Resume = False,
    rejects: Rejects = None,
    summary: SummaryFile = None,
    model: Model = "base",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
    without: Without = None,
) -> None:
    """Score documents for damage (0 to 1). Without --json: score, tab, source, one document a line."""
    with plain_errors():
        from detrans.corpus.work import Task

        config = Config(None, device, model, lexicon, keep or (), without=tuple(without or ()))
        task = Task(config, text_field, detect=True, as_json=as_json, least=min_score, most=max_score)
        process(files, task, output, lines, workers, resume, rejects, summary)


def process(
    files: list[str] | None,
    task: Task,
    output: Path | None,
    lines: bool,
    workers: int | None,
    resume: bool,
    rejects: Path | None,
    summary: Path | None,
    ray: str = "",
) -> None:
    """Run a task over the inputs; exit code 3 if some records were rejected."""
    from detrans.corpus import Options, run

    if ray:
        from detrans import ray as cluster

        done = cluster.run(files, task, Options(output, 1, lines, resume, rejects), ray, workers)
    else:
        done = run(files, task, Options(output, workers or _workers(files, output), lines, resume, rejects))
    if summary is not None:
        summary.write_text(json.dumps(done.to_dict(), indent=1) + "\n", encoding="utf-8")
    elif output is not None:
        typer.echo(json.dumps(done.to_dict()), err=True)
    if done.rejects:
        raise SystemExit(3)


def _workers(files: list[str] | None, output: Path | None) -> int:
    # A process has to load the model first: few documents are done sooner by one.
    size = sum(Path(f).stat().st_size for f in files or () if Path(f).is_file())
    folders = any(Path(f).is_dir() for f in files or ())
    return (os.cpu_count() or 1) if output and (folders or size > 1 << 20) else 1


@app.command()
def explain(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    threshold: Threshold = None,
    model: Model = "base",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
    lookalikes: Lookalikes = True,
    names: Names = True,
    without: Without = None,
) -> None:
    """Show the edits inline, old struck through and new highlighted, with the sentence scores beside."""
    with plain_errors():
        from detrans.corpus.formats import read_records
        from detrans.pipeline import Detrans
        from detrans.show import show

        config = Config(
            threshold, device, model, lexicon, keep or (), lookalikes, names, tuple(without or ())
        )
        detrans = Detrans(config)
        with open_output(output, files) as out:
            for record in read_records(files, text_field):
                show(record.source, *detrans.examine(record.text), record.text, out)


@app.command()
def report(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    threshold: Threshold = None,
    model: Model = "base",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
    lookalikes: Lookalikes = True,
    names: Names = True,
    without: Without = None,
) -> None:
    """Write one HTML page that shows the documents before and after, with the reason of every edit."""
    with plain_errors():
        from detrans.corpus.formats import read_records
        from detrans.pipeline import Detrans
        from detrans.report import Entry, page

        config = Config(
            threshold, device, model, lexicon, keep or (), lookalikes, names, tuple(without or ())
        )
        detrans = Detrans(config)
        with open_output(output, files) as out:
            records = read_records(files, text_field)
            out.write(page(Entry(r.source, r.text, *detrans.examine(r.text)) for r in records))


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from detrans import __version__

        typer.echo(f"detrans {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the `detrans` command."""
    app()
