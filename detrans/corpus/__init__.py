"""Repair and score corpora: many documents, several formats, worker processes, safe to interrupt."""

from detrans.corpus.run import Options, Summary, run

__all__ = ["Options", "Summary", "run"]
