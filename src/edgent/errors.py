"""What can go wrong, and whose fault it is.

::

    EdgentError                         the command failed                       exit code 1
     ├─ InputError (ValueError)         what was given cannot be used            exit code 2
     │   ├─ ModelError                  a model file, or a name inside it
     │   ├─ CodecError                  bytes that a codec did not make, or a value that it cannot carry
     │   ├─ CacheError                  the folder of what is kept cannot be used
     │   └─ RefusedError                the edge understood and said no: another model, version or protocol
     │       ├─ NotServedError          no such model, exit or segment there
     │       └─ RejectedError           this request does not fit; others may
     ├─ EdgeError (ConnectionError)     the edge is not there, or broke off: the device answers by itself
     │   ├─ LateError                   the time for the answer ran out first
     │   ├─ BusyError                   its queue is full
     │   └─ BrokenError                 it failed on this request; others may pass
     ├─ OvertimeError                   a run of a model took too long, and was ended
     └─ MissingExtraError (ImportError) an optional part is not installed

All of them are names of `edgent`, so a caller writes `except edgent.EdgeError`.
Each message is one printable line of a thousand characters at most: what was found, what was expected, what to do next.
"No plan meets the deadline" is an answer, not an error.
"""

from edgent.text import brief


class EdgentError(Exception):
    """Anything Edgent reports without a traceback."""

    exit_code = 1

    # Names of models, tensors and files stand in most messages, and come from anybody: here, where every message passes
    # on its way to a terminal, a log or the wire, none can fill it or move its cursor.
    def __str__(self) -> str:
        """The message: one line, printable, and short."""
        return brief(super().__str__())


class InputError(EdgentError, ValueError):
    """What was given cannot be used as it is."""

    exit_code = 2


class ModelError(InputError):
    """A model file, or something named inside it, cannot be used."""


class CacheError(InputError):
    """The folder in which files are kept cannot be written, or is full."""


class RefusedError(InputError):
    """The edge answered, and refused: it serves something else than what was asked."""


class EdgeError(EdgentError, ConnectionError):
    """The edge is not there, or the connection broke."""


class MissingExtraError(EdgentError, ImportError):
    """An optional part of Edgent is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'edgent[{extra}]'")
