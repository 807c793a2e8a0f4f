"""`python -m edgent` is `edgent`."""

from edgent.cli import main

main()
