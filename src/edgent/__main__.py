"""`edgent`, and `python -m edgent`: what must be settled before anything is imported, then the commands."""

import os
import signal


def main() -> None:
    """Runs the command that was typed."""
    # Imports take a second on a board. An interrupt meanwhile ends the process as the system does it, without Python's
    # traceback out of the midst of some library; the commands take signals over when they are there.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # numpy reads it once, when it is imported. All our algebra is on matrices of a few hundred rows: its threads wait
    # for each other longer than they compute (a fit took 15 to 31 s instead of 2.5), and take cores from the engine's.
    # So one thread is right on four cores too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from edgent.cli import main as commands

    commands()


if __name__ == "__main__":
    main()
