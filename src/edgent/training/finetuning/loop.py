"""The loop of fine-tuning: epochs, an average of the weights, checkpoints, the log."""

import copy
import io
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgent.errors import InputError
from edgent.files import write_whole
from edgent.training.checkpoints import Entry, resumed
from edgent.training.finetuning.network import EfficientNetLite
from edgent.training.finetuning.pictures import LabelledPixels, normalised, views
from edgent.training.finetuning.recipe import FineTuning

__all__ = ["FineTuner", "Progress", "accuracy", "ahead", "learning_rate"]

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
_RISING = 0.1

Progress = Callable[[str, int, int], None]
"""Called after each step with a text, the steps done, and all steps."""


def learning_rate(recipe: FineTuning, progress: float) -> float:
    """The learning rate when that share of all steps is made: a linear rise, then a cosine down to 0."""
    if progress < _RISING:
        return recipe.learning_rate * (progress + 0.001) / (_RISING + 0.001)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - _RISING) / (1 - _RISING)))


class Batch(NamedTuple):
    """Pictures behind the frozen layers; each is `share` of one and the rest of another.

    Attributes:
        features: shape [batch, channels, height, width].
        labels: of the ones, shape [batch].
        others: of the others, shape [batch].
        share: 0..1.
    """

    features: Tensor
    labels: Tensor
    others: Tensor
    share: float


class FineTuner:
    """A network in training, the average of its weights, and the log; all of it in a checkpoint after every epoch.

    Args:
        recipe: how.
        network: with the published weights.
        output: folder of checkpoint and log.
        seed: of everything that is random.
        resume: go on from the folder's checkpoint, if there is one.

    Raises:
        InputError: a checkpoint that is in the way, unreadable, or of another recipe or seed.
    """

    def __init__(
        self, recipe: FineTuning, network: EfficientNetLite, output: Path, *, seed: int, resume: bool = False
    ) -> None:
        self.recipe, self.network, self.output, self.seed = recipe, network, output, seed
        # Convolutions on a processor are fastest with the channels innermost.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(
            [parameter for parameter in network.parameters() if parameter.requires_grad],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        self.average = copy.deepcopy(network).eval()
        self.log: list[Entry] = [{"recipe": recipe.as_json(), "seed": seed, "torch": str(torch.__version__)}]
        if (output / CHECKPOINT).exists():
            self._go_on(resume=resume)

    def run(self, pictures: LabelledPixels, held_back: LabelledPixels, progress: Progress) -> None:
        """Train for the epochs that are left.

        Args:
            pictures: to train on, `ROOM` times as large as the network sees parts of them.
            held_back: pictures of the network's size that are only measured.
            progress: told of each step.

        Raises:
            InputError: fewer pictures than a batch, or a loss that is no longer finite.
        """
        if len(pictures.labels) < self.recipe.batch:
            raise InputError(f"{len(pictures.labels)} pictures are less than a batch of {self.recipe.batch}; take more")
        # The log has a first line for the run, so it is one longer than the epochs that are done.
        for epoch in range(len(self.log) - 1, self.recipe.epochs):
            begin = time.monotonic()
            loss = self._epoch(pictures, epoch, progress)
            self.log.append(
                {
                    "epoch": epoch,
                    "loss": round(loss, 5),
                    "held_back_accuracy": round(accuracy(self.average, held_back), 5),
                    "seconds": round(time.monotonic() - begin, 1),
                }
            )
            self._keep()

    def _epoch(self, pictures: LabelledPixels, epoch: int, progress: Progress) -> float:
        recipe, network = self.recipe, self.network.train()
        # A seed from run and epoch, not a generator that goes on: a resumed run then draws what it would have drawn.
        torch.manual_seed(self.seed * 100_003 + epoch)  # dropout
        random = np.random.default_rng((self.seed, epoch))
        steps, losses = len(pictures.labels) // recipe.batch, 0.0
        for step, batch in enumerate(ahead(_batches(recipe, network.prefix, pictures, random))):
            done = epoch * steps + step
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(recipe, done / (recipe.epochs * steps))
            # Half the digits do, in two thirds of the time; the weights and their steps have all.
            with torch.autocast("cpu", torch.bfloat16):
                logits = network.classify(batch.features)
            loss = _loss(recipe, logits.float(), batch)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self._average(done)
            losses += loss.item()
            progress(f"epoch {epoch + 1}/{recipe.epochs}, loss {loss.item():.3f}", done + 1, recipe.epochs * steps)
        # Asked once an epoch: a sum with a loss in it that is not finite stays so.
        if not math.isfinite(losses):
            raise InputError(f"the loss is no longer finite in epoch {epoch + 1}; lower the learning rate")
        return losses / steps

    @torch.no_grad()
    def _average(self, done: int) -> None:
        # An average over few steps at the beginning, so that it does not remember weights from before the training.
        keep = min(self.recipe.averaging, (1 + done) / (10 + done))
        for ours, theirs in zip(self.average.parameters(), self.network.parameters(), strict=True):
            if theirs.requires_grad:
                ours.lerp_(theirs, 1 - keep)

    def _go_on(self, *, resume: bool) -> None:
        path = self.output / CHECKPOINT
        if not resume:
            raise InputError(f"{path} holds an earlier run; go on with it (resume) or choose another folder")
        self.log = resumed(path, self.log[0], self._parts())

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}

    def _keep(self) -> None:
        state = {name: part.state_dict() for name, part in self._parts().items()}
        # The checkpoint first: the log can be written again from it, but not the other way round.
        checkpoint = io.BytesIO()
        torch.save({**state, "log": self.log}, checkpoint)
        write_whole(self.output / CHECKPOINT, checkpoint.getvalue())
        write_whole(self.output / LOG, "".join(json.dumps(entry) + "\n" for entry in self.log))


def accuracy(network: nn.Module, pictures: LabelledPixels, batch: int = 64) -> float:
    """Share of pictures that a network answers rightly."""
    right = 0
    with torch.inference_mode():
        for start in range(0, len(pictures.labels), batch):
            rows = slice(start, start + batch)
            answers = network(normalised(pictures.pixels[rows])).argmax(1).numpy()
            right += int((answers == pictures.labels[rows]).sum())
    return right / len(pictures.labels)


def ahead(batches: Iterator[Batch], count: int = 2) -> Iterator[Batch]:
    """The same batches; the next ones are made in a thread beside while one is trained on."""
    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(next, batches, None) for _ in range(count))
        while (batch := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, batches, None))
            yield batch


def _batches(
    recipe: FineTuning, prefix: nn.Module, pictures: LabelledPixels, random: np.random.Generator
) -> Iterator[Batch]:
    """Pictures that are mixed in pairs, behind the layers that are not trained.

    H. Zhang and others, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    for x, labels in views(pictures, recipe.batch, recipe.learned_size, recipe.smallest, random):
        share = float(random.beta(recipe.mixing, recipe.mixing))
        others = torch.from_numpy(random.permutation(len(x)))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features = prefix(x.lerp(x[others], 1 - share))
        yield Batch(features, labels, labels[others], share)


def _loss(recipe: FineTuning, logits: Tensor, batch: Batch) -> Tensor:
    # Cross-entropy is linear in the target, so that of a mixed target is a mix of two.
    first, second = (
        functional.cross_entropy(logits, labels, label_smoothing=recipe.smoothing)
        for labels in (batch.labels, batch.others)
    )
    return batch.share * first + (1 - batch.share) * second
