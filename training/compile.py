"""Write the lexicon in the form that is read at run time.

python -m training.compile
"""

from __future__ import annotations

from detrans.assets import model_directory
from detrans.lexicon import Lexicon, read_forms
from detrans.lexicon.compiled import write

if __name__ == "__main__":
    directory = model_directory("lexical")
    write(Lexicon(read_forms(directory / "lexicon.tsv")), directory / "lexicon.safetensors")
