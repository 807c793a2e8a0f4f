"""An answer in the words of its task, as a part of a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgent.model.tasks.results import counted, in_a_word

_MOST = 5  # names in a line
_FEW = 8  # numbers of a sequence or a map


def in_words(result: dict[str, Any]) -> str:
    """What an answer's document says, in a few words.

    Args:
        result: as `Answer.document` gives it.
    """
    key = next(key for key in _WORDS if key in result)
    said, count = _WORDS[key](result[key]), result.get("not_finite", 0)
    return f"{said}; {_not_finite(key, count)}" if count else said


def _not_finite(key: str, count: int) -> str:
    if key == "boxes":
        return "numbers that boxes are made of are NaN or infinite"
    if key == "mask":
        return f"the scores of {count} pixel{'' if count == 1 else 's'} are NaN"
    return f"{count} of its numbers {'is' if count == 1 else 'are'} NaN or infinite"


def _boxes(boxes: list[dict[str, Any]]) -> str:
    names = [in_a_word(box["label"], box["class"]) for box in boxes]
    shown = [name for name in names if name in list(dict.fromkeys(names))[:_MOST]]
    more = ", ..." if len(shown) < len(names) else ""
    count = f"{len(boxes)} box{'' if len(boxes) == 1 else 'es'}"
    return f"{count}: {counted(shown)}{more}" if boxes else count


def _top(scores: list[dict[str, Any]]) -> str:
    if not scores:
        return "no class"
    return f"{in_a_word(scores[0]['label'], scores[0]['class'])} {_short(scores[0]['score'])}"


def _mask(mask: dict[str, Any]) -> str:
    shares = [f"{in_a_word(one['label'], one['class'])} {one['share'] * 100:.1f} %" for one in mask["classes"]]
    more = ", ..." if len(shares) > _MOST else ""
    return f"mask {mask['width']} x {mask['height']}: {', '.join(shares[:_MOST])}{more}"


def _embedding(embedding: dict[str, Any]) -> str:
    return f"embedding of {embedding['size']} numbers"


def _outputs(outputs: dict[str, dict[str, Any]]) -> str:
    said = [f"{name} {_output(one)}" for name, one in outputs.items()]
    return ", ".join(said[:_MOST]) + (", ..." if len(said) > _MOST else "")


def _output(output: dict[str, Any]) -> str:
    return _nested(output["values"]) if "values" in output else f"{output['dtype']} {output['shape']}"


def _nested(value: Any) -> str:
    """Sequences and maps, the first entries of each."""
    if isinstance(value, dict) and "shape" in value:
        return _output(value)
    if not isinstance(value, dict | list):
        return _short(value)
    pairs = value.items() if isinstance(value, dict) else ((None, entry) for entry in value)
    said = [_nested(entry) if key is None else f"{key}: {_nested(entry)}" for key, entry in pairs]
    shown = ", ".join(said[:_FEW]) + (", ..." if len(said) > _FEW else "")
    return f"{{{shown}}}" if isinstance(value, dict) else f"[{shown}]"


def _short(value: float | bool | None) -> str:
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


_WORDS: dict[str, Callable[[Any], str]] = {
    "boxes": _boxes,
    "top": _top,
    "mask": _mask,
    "embedding": _embedding,
    "outputs": _outputs,
}
