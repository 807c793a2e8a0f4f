"""Files made into the tensors that a request would make of them."""

from __future__ import annotations

from edgent.codec import decode_pixels, fit, most_pixels, normalise
from edgent.engine.feeds import Array
from edgent.engine.material import Input, Material
from edgent.model import Model


def prepared(model: Model, data: Input) -> dict[str, Array]:
    """The tensors that an input becomes, as a request's would.

    Raises:
        InputError: it is no image, or not what the model takes.
    """
    material, largest = Material(data, model), model.largest_form
    if material.source is None or largest is None:
        return material.tensors
    pixels = decode_pixels(material.source, max_pixels=most_pixels(largest))
    forms = {tensor.name: model.metadata.preprocessing_of(tensor.name) for tensor in model.inputs}
    return {name: normalise(fit(pixels, form), form) for name, form in forms.items() if form is not None}
