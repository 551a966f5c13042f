"""The command line: `detrans clean`, `detrans detect`, `detrans explain`, `detrans report`.

Results go to standard output or to -o and nothing else does; messages go to standard error.
Exit codes: 0 done, 1 something could not be read, written or loaded, 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from detrans.config import Config
from detrans.errors import DetransError
from detrans.files import Record, open_output, read_records

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Find and repair machine-made damage (article spinning, translation out and back) in English text.",
)

Files = Annotated[
    list[str] | None, typer.Argument(metavar="[FILE]...", help=".txt or .jsonl files; none or - reads stdin.")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Write here instead of to stdout.")]
Field = Annotated[str, typer.Option("--text-field", help="The field of a .jsonl record that holds the text.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a document, with scores and edits.")]
Threshold = Annotated[
    float | None, typer.Option(help="Probability from which an edit is made; default: the model's own.")
]
Model = Annotated[str, typer.Option(help="small, none (lexicon only, faster) or a model directory.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ...; default: a GPU where there is one.")]
Lexicon = Annotated[str | None, typer.Option(help="TSV file of your own pairs (columns spun, original).")]
Keep = Annotated[str, typer.Option(help="File of phrases never to touch, one a line.")]
Lookalikes = Annotated[bool, typer.Option(help="Repair look-alike letters inside Latin words.")]


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


def pipeline(
    threshold: float | None,
    model: str,
    device: str | None,
    lexicon: str | None,
    keep: str,
    lookalikes: bool = True,
) -> Any:
    from detrans.pipeline import Detrans

    return Detrans(Config(threshold, device, model, lexicon, keep or (), lookalikes))


def dump(data: dict[str, Any]) -> str:
    """One JSON line. Lone surrogates (undecodable bytes) stay escaped, so the line is valid UTF-8."""
    line = json.dumps(data, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(data)
    return line + "\n"


def write_record(out: TextIO, record: Record, text: str, field: str) -> None:
    """A document in the form it came in."""
    out.write(text if record.data is None else dump(record.data | {field: text}))


@app.command()
def clean(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    as_json: AsJson = False,
    threshold: Threshold = None,
    model: Model = "small",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
    lookalikes: Lookalikes = True,
) -> None:
    """Write the documents with their damage repaired and everything else byte for byte as it was."""
    with plain_errors():
        detrans = pipeline(threshold, model, device, lexicon, keep, lookalikes)
        with open_output(output, files) as out:
            for record in read_records(files, text_field):
                repair = detrans.repair(record.text)
                if as_json:
                    out.write(dump({"source": record.source} | repair.to_dict()))
                else:
                    write_record(out, record, repair.text, text_field)


@app.command()
def detect(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    as_json: AsJson = False,
    model: Model = "small",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
) -> None:
    """Score documents for damage (0 to 1). Without --json: score, tab, source, one document a line."""
    with plain_errors():
        detrans = pipeline(None, model, device, lexicon, keep)
        with open_output(output, files) as out:
            for record in read_records(files, text_field):
                found = detrans.detect(record.text)
                if as_json:
                    out.write(dump({"source": record.source} | found.to_dict()))
                else:
                    out.write(f"{found.score:.4f}\t{record.source}\n")


@app.command()
def explain(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    threshold: Threshold = None,
    model: Model = "small",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
    lookalikes: Lookalikes = True,
) -> None:
    """Show the edits inline, old struck through and new highlighted, with the sentence scores beside."""
    with plain_errors():
        from detrans.show import show

        detrans = pipeline(threshold, model, device, lexicon, keep, lookalikes)
        with open_output(output, files) as out:
            for record in read_records(files, text_field):
                show(
                    record.source, detrans.detect(record.text), detrans.repair(record.text), record.text, out
                )


@app.command()
def report(
    files: Files = None,
    output: Output = None,
    text_field: Field = "text",
    threshold: Threshold = None,
    model: Model = "small",
    device: Device = None,
    lexicon: Lexicon = None,
    keep: Keep = "",
    lookalikes: Lookalikes = True,
) -> None:
    """Write one HTML page that shows the documents before and after, with the reason of every edit."""
    with plain_errors():
        from detrans.report import Entry, page

        detrans = pipeline(threshold, model, device, lexicon, keep, lookalikes)
        with open_output(output, files) as out:
            records = read_records(files, text_field)
            out.write(
                page(Entry(r.source, r.text, detrans.detect(r.text), detrans.repair(r.text)) for r in records)
            )


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
