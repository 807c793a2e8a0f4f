"""The training loop: epochs, checkpoints, the log."""

import contextlib
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgent.errors import InputError
from edgent.evaluation.data.cifar10 import Images
from edgent.training.b_alexnet.augment import augmented, in_order
from edgent.training.b_alexnet.network import BAlexNet
from edgent.training.b_alexnet.recipe import Recipe
from edgent.training.checkpoints import Entry, resumed

__all__ = ["Entry", "joint_loss", "learning_rate", "train"]

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The learning rate at a point of the run.

    Args:
        recipe: gives its highest value, and how long it rises.
        progress: share of all steps already made, 0..1.
    """
    # One cycle: a linear rise, while batch normalisation finds its statistics, then a cosine down to 0.
    if progress < recipe.warm_up:
        return recipe.learning_rate * (0.1 + 0.9 * progress / recipe.warm_up)
    falling = (progress - recipe.warm_up) / (1 - recipe.warm_up)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))


def joint_loss(recipe: Recipe, logits: list[Tensor], labels: Tensor) -> Tensor:
    """Weighted mean of the exits' cross-entropies: BranchyNet's joint objective.

    Args:
        recipe: the weights, and how far the labels are smoothed.
        logits: of each exit, shape [batch, classes].
        labels: shape [batch].
    """
    losses = [functional.cross_entropy(x, labels, label_smoothing=recipe.label_smoothing) for x in logits]
    weights = torch.tensor(recipe.exit_weights)
    # Divided by their sum, so that other weights change what is learned first, and not the size of a step.
    return torch.stack(losses) @ (weights / weights.sum())


def train(
    recipe: Recipe,
    images: Images,
    output: Path,
    *,
    seed: int = 0,
    resume: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[BAlexNet, list[Entry]]:
    """Train B-AlexNet and keep a checkpoint and a log after each epoch.

    An interrupted run goes on with ``resume``: it repeats at most the epoch it was in, and ends as it would have
    ended, since shuffling, augmentation and dropout of an epoch depend on nothing but seed and epoch.

    Args:
        recipe: how.
        images: the training images; the last ``recipe.held_back`` of them only measure.
        output: folder for ``checkpoint.pt`` and ``log.jsonl``; made if missing.
        seed: of everything that is random.
        resume: go on from the folder's checkpoint, if there is one.
        progress: called after each step with the steps done, all steps, and a text.
        clock: seconds from any starting point.

    Returns:
        The network, ready for evaluation, and the log.

    Raises:
        InputError: too few images, or a checkpoint that is in the way, unreadable, or of another recipe or seed.
    """
    learning, held_back = _divided(recipe, images)
    torch.manual_seed(seed)
    network = BAlexNet(
        trunk=recipe.trunk_widths,
        hidden=recipe.hidden_widths,
        exits=recipe.exit_widths,
        dropout=recipe.dropout,
        classes=len(images.class_names),
    )
    # Convolutions on a processor are fastest with the channels innermost.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
    )
    log = _started(recipe, seed, output, network, optimizer, resume=resume)
    # The log has a first line for the run, so it is one longer than the epochs that are done.
    for epoch in range(len(log) - 1, recipe.epochs):
        begin = clock()
        loss = _epoch(recipe, learning, network, optimizer, epoch, seed, progress or _quiet)
        log.append(
            {
                "epoch": epoch,
                "learning_rate": round(optimizer.param_groups[0]["lr"], 6),
                "loss": round(loss, 5),
                "held_back_accuracy": accuracies(network, held_back),
                "seconds": round(clock() - begin, 1),
            }
        )
        _keep(output, network, optimizer, log)
    return network.eval(), log


def accuracies(network: BAlexNet, images: Images) -> list[float]:
    """Share of the images that each exit answers rightly, earliest first."""
    network.eval()
    right = np.zeros(len(network.exits) + 1, np.int64)
    with torch.inference_mode():
        for x, labels in in_order(images.pixels, images.labels, 500):
            right += [int((logits.argmax(1) == labels).sum()) for logits in network(x)]
    return [float(share) for share in right / len(images.labels)]


def _quiet(done: int, total: int, what: str) -> None:
    """Ignore progress."""


def _divided(recipe: Recipe, images: Images) -> tuple[Images, Images]:
    end = len(images.labels) - recipe.held_back
    if end < recipe.batch:
        raise InputError(
            f"{len(images.labels)} images leave {max(end, 0)} to train on once {recipe.held_back} are held back; "
            f"one batch needs {recipe.batch}: lower the batch or held_back"
        )
    return images.part(0, min(end, recipe.images or end)), images.part(end, len(images.labels))


def _epoch(
    recipe: Recipe,
    images: Images,
    network: BAlexNet,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    seed: int,
    progress: Callable[[int, int, str], None],
) -> float:
    """One pass over the images; the mean loss."""
    network.train()
    # A seed from run and epoch, not a generator that goes on: a resumed run then draws what it would have drawn.
    torch.manual_seed(seed * 100_003 + epoch)  # dropout
    random = np.random.default_rng((seed, epoch))
    steps = len(images.labels) // recipe.batch
    losses = 0.0
    batches = augmented(images.pixels, images.labels, recipe.batch, recipe.shift, random)
    for step, (x, labels) in zip(itertools.count(epoch * steps), batches, strict=False):
        rate = learning_rate(recipe, step / (recipe.epochs * steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = joint_loss(recipe, network(x), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses += loss.item()
        progress(step + 1, recipe.epochs * steps, f"epoch {epoch + 1}/{recipe.epochs}, loss {loss.item():.3f}")
    # Asked once an epoch: a sum with a loss in it that is not finite stays so.
    if not math.isfinite(losses):
        raise InputError(f"the loss is no longer finite in epoch {epoch + 1}; lower the learning rate")
    return losses / steps


def _started(
    recipe: Recipe, seed: int, output: Path, network: nn.Module, optimizer: torch.optim.Optimizer, *, resume: bool
) -> list[Entry]:
    """The log so far: its first line for a new run, more of them (and the state loaded) for one that goes on."""
    first: Entry = {"recipe": recipe.as_json(), "seed": seed, "torch": str(torch.__version__)}
    path = output / CHECKPOINT
    if not path.exists():
        output.mkdir(parents=True, exist_ok=True)
        return [first]
    if not resume:
        raise InputError(f"{path} holds an earlier run; go on with it (resume) or choose another folder")
    return resumed(path, first, {"network": network, "optimizer": optimizer})


def _keep(output: Path, network: nn.Module, optimizer: torch.optim.Optimizer, log: list[Entry]) -> None:
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "log": log}
    # The checkpoint first: the log can be written again from it, but not the other way round.
    with _replacing(output / CHECKPOINT) as temporary:
        torch.save(state, temporary)
    with _replacing(output / LOG) as temporary:
        temporary.write_text("".join(json.dumps(entry) + "\n" for entry in log), encoding="utf-8")


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside the path, which takes its place when written: a reader never meets half of one."""
    temporary = path.with_name(path.name + ".part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
