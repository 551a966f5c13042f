"""Coverage-guided fuzzing: `python -m fuzz text|files [libFuzzer options] [CORPUS]`.

Needs `pip install atheris`. For example ten minutes, starting from the kept corpus:

    python -m fuzz text -max_total_time=600 -dict=fuzz/tokens.dict .cache/fuzz fuzz/corpus/text
"""

import sys

import atheris

with atheris.instrument_imports(include=["detrans"], enable_loader_override=False):
    from fuzz.checks import check_files, check_text, eager

if __name__ == "__main__":
    target = {"text": check_text, "files": check_files}[sys.argv.pop(1)]
    eager().clean("The lexicon is read before the clock starts.")
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
