"""`edgent`, and `python -m edgent`: what must be settled before anything is imported, then the commands."""

import os


def main() -> None:
    """Runs the command that was typed."""
    # numpy reads it once, when it is imported. All our algebra is on matrices of a few hundred rows: its threads wait
    # for each other longer than they compute (a fit took 15 to 31 s instead of 2.5), and take cores from the engine's.
    # So one thread is right on four cores too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from edgent.cli import main as commands

    commands()


if __name__ == "__main__":
    main()
