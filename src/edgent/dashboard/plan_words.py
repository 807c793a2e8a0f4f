"""A plan for people: a sentence or two, and the parts of a picture of what runs where."""

from __future__ import annotations

from typing import Any

from edgent.planning.plan import Plan, milliseconds
from edgent.units import format_bytes


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as the page shows it."""
    return {
        "words": in_words(plan),
        "parts": _parts(plan),
        "total_ms": round(milliseconds(plan.stages.total), 2),
        "meets_deadline": plan.meets_deadline,
        "accuracy": plan.accuracy,
        "measure": plan.measure,
        "chance": plan.chance,
    }


def in_words(plan: Plan) -> str:
    """What runs where."""
    sentences = [_first_answer(plan), *_division(plan)]
    if plan.trial:
        sentences.append("The edge is only tried: the device answers beside it.")
    return " ".join(filter(None, sentences))


def _first_answer(plan: Plan) -> str:
    if plan.gate is None:
        return ""
    return f"Exit {plan.gate.exit} answers here first; of pictures of which it is sure, that is all."


def _division(plan: Plan) -> list[str]:
    configuration = plan.configuration
    exit, up, down = configuration.exit, configuration.upload_cut, configuration.download_cut
    if configuration.device_only:
        return [f"This device runs {_layers(0, down, plan)}, to exit {exit}, and asks nobody."]
    sent = f"as {_carried(configuration.codec, plan.bytes_up)}"
    sentences = [f"The input goes to the edge {sent}."]
    if up:
        runs = "runs here; what it makes" if up == 1 else "run here; what they make"
        sentences = [f"{_layers(0, up, plan).capitalize()} {runs} goes to the edge {sent}."]
    if _has_suffix(plan):
        return [*sentences, f"The edge runs {_layers(up, down, plan)}.", f"The rest runs here again, to exit {exit}."]
    return [*sentences, f"The edge runs {_layers(up, down, plan)}, to exit {exit}."]


def _parts(plan: Plan) -> list[dict[str, Any]]:
    """Where the time of an answer is planned to go, in its order: device, up, edge, down, device."""
    configuration, stages = plan.configuration, plan.stages
    up, down = configuration.upload_cut, configuration.download_cut
    before = stages.prepare + stages.head + stages.encode
    if configuration.device_only:
        return [_part("device", _layers(0, down, plan), before + stages.queue + stages.suffix)]
    return [
        _part("device", _layers(0, up, plan) if up else "input", before),
        _part("up", _carried(configuration.codec, plan.bytes_up), stages.uplink),
        _part("edge", _layers(up, down, plan), stages.queue + stages.middle),
        _part("down", _carried(configuration.download_codec, plan.bytes_down), stages.downlink),
        _part("device", _layers(down, plan.layers or down, plan) if _has_suffix(plan) else "answer", stages.suffix),
    ]


def _has_suffix(plan: Plan) -> bool:
    """Whether the device computes again behind the edge; of a plan from a document nobody knows."""
    return plan.layers is not None and plan.configuration.download_cut < plan.layers


def _layers(first: int, end: int, plan: Plan) -> str:
    """Layers by number, from 1, as people count."""
    if first == 0 and end == plan.layers:
        return f"all {end} layers"
    return f"layer {end}" if end - first == 1 else f"layers {first + 1} to {end}"


def _carried(codec: str, size: float | None) -> str:
    return codec if size is None else f"{codec}, {format_bytes(size)}"


def _part(where: str, what: str, seconds: float) -> dict[str, Any]:
    return {"where": where, "what": what, "ms": round(milliseconds(seconds), 2)}
