"""`python -m detrans` is the `detrans` command."""

from detrans.cli import main

main()
