"""What the benchmarks' commands share: how they begin, how they show their figures, and how they end.

    if __name__ == "__main__":
        command.run(main)

They end as `edgent` does: 0 done, 1 failed or a target missed, 2 bad usage or input, 130 interrupted; an error is one
line on stderr.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from edgent.errors import EdgentError
from edgent.text import one_line

INTERRUPTED = 130  # as shells count it


def parser(documentation: str | None) -> argparse.ArgumentParser:
    """A parser that shows the command's own documentation.

    Args:
        documentation: The module's `__doc__`.
    """
    return argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)


def options(documentation: str | None) -> argparse.ArgumentParser:
    """The parser of a benchmark: with the option for its figures."""
    benchmark = parser(documentation)
    benchmark.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    return benchmark


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that takes whole numbers from some on; another value ends the command with one line."""

    def whole(text: str) -> int:
        # What is no whole number at all is refused by the parser itself, when this raises.
        if (number := int(text)) < least:
            raise argparse.ArgumentTypeError(f"found {number}, expected {least} or more")
        return number

    return whole


def show(options: argparse.Namespace, document: object, text: Callable[[], object]) -> None:
    """Prints the figures: as JSON where the options say so, else with `text`, which prints them for people."""
    if options.json:
        write(document)
    else:
        text()


def write(document: object) -> None:
    """Prints one JSON document."""
    print(json.dumps(document))


def run(main: Callable[[], int]) -> NoReturn:
    """Runs a command, and ends the process with its exit code; SIGTERM ends what it has started as well."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        code = main()
    except EdgentError as error:
        print(one_line(" ".join(str(error).split())), file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)
