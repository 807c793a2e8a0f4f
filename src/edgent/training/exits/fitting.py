"""A twig in PyTorch: taught on maps that the network's engine computed, with batch normalisation that is folded away.

The right answer is a mixture of the label and of what the network itself says of the very view (G. Hinton, O. Vinyals
and J. Dean, "Distilling the knowledge in a neural network", 2015), without labels the latter alone. Two pictures of a
batch and their answers are mixed as well (V. Verma et al., "Manifold mixup", ICML 2019): the maps are few, and are seen
often.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.training.exits.lesson import Lesson
from edgent.training.exits.twigs import TwigForm, TwigWeights
from edgent.training.pytorch import functional, nn, torch

BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
WARM_UP = 0.15  # of the steps, in which the learning rate rises
DROPOUT = 0.2
SMOOTHING = 0.1  # of labels
OWN_WORD = 0.5  # weight of the network's own answer beside labels
SOFTNESS = 2.0  # temperature of that answer
MIXING = 0.2  # of the beta distribution by which two pictures are mixed

_TIMED = 6  # batches


class TorchTrainer:
    """See `Trainer`.

    Args:
        threads: of PyTorch.
    """

    def __init__(self, threads: int = 2) -> None:
        torch.set_num_threads(threads)

    def seconds_an_epoch(self, form: TwigForm, lesson: Lesson) -> float:
        """See `Trainer`."""
        course = _Course(form, lesson, epochs=1, seed=0)
        course.step(course.batch(0))  # the first one makes room
        begin = time.monotonic()
        for number in range(_TIMED):
            course.step(course.batch(number % course.batches))
        return (time.monotonic() - begin) / _TIMED * course.batches

    def fit(
        self,
        form: TwigForm,
        lesson: Lesson,
        *,
        epochs: int,
        seed: int,
        checkpoint: Path,
        progress: Callable[[int, int], None],
    ) -> TwigWeights:
        """See `Trainer`."""
        course = _Course(form, lesson, epochs=epochs, seed=seed)
        for epoch in range(course.resumed(checkpoint), epochs):
            progress(epoch, epochs)
            course.epoch(epoch)
            course.keep(checkpoint, epoch + 1)
        progress(epochs, epochs)
        weights: TwigWeights = course.twig.folded()
        return weights


class TwigNetwork(nn.Module):
    """A twig of some form, with normalisation behind each convolution."""

    def __init__(self, form: TwigForm) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(c.inputs, c.outputs, c.kernel, c.stride, c.kernel // 2, bias=False) for c in form.convolutions
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c.outputs) for c in form.convolutions)
        # Without convolutions nothing has brought the features to one scale.
        self.scale = nn.Identity() if form.convolutions else nn.BatchNorm1d(form.features, affine=False)
        self.linear = nn.Linear(form.features, form.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores or vectors, shape [batch, outputs], of maps [batch, channels, height, width]."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = functional.relu(norm(convolution(x)))
        features = functional.dropout(self.scale(x.mean(dim=(2, 3))), DROPOUT, self.training)
        answers: torch.Tensor = self.linear(features)
        return answers

    def folded(self) -> TwigWeights:
        """Weights of the same twig without normalisation, as it is at inference."""
        pairs = zip(self.convolutions, self.norms, strict=True)
        layers = [_folded(convolution, norm) for convolution, norm in pairs]
        weight, bias = self.linear.weight, self.linear.bias
        if isinstance(self.scale, nn.BatchNorm1d):
            weight = weight / torch.sqrt(self.scale.running_var + self.scale.eps)
            bias = bias - weight @ self.scale.running_mean
        return TwigWeights((*layers, (_array(weight), _array(bias))))


class _Course:
    """A twig on its way: network, optimiser, and the place in the schedule."""

    def __init__(self, form: TwigForm, lesson: Lesson, *, epochs: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.lesson, self.seed = lesson, seed
        self.twig = TwigNetwork(form).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(self.twig.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.batches = max(1, len(lesson.maps) // BATCH)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, LEARNING_RATE, total_steps=epochs * self.batches + 1, pct_start=WARM_UP
        )
        self.order = np.arange(len(lesson.maps))
        self.random = np.random.default_rng(seed)

    def epoch(self, number: int) -> None:
        """Every picture once, in one of its views."""
        # A seed from run and epoch, not a generator that goes on: a resumed run then draws what it would have drawn.
        self.random = np.random.default_rng((self.seed, number))
        torch.manual_seed(self.seed * 100_003 + number)
        self.order = self.random.permutation(len(self.lesson.maps))
        loss = 0.0
        for batch in range(self.batches):
            loss += self.step(self.batch(batch))
            self.schedule.step()
        if not np.isfinite(loss):
            raise InputError("the loss is no longer finite: the network's features, or its answers, are too large")

    def batch(self, number: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and views of the next pictures."""
        # Sorted, for the disk's sake.
        rows = np.sort(self.order[number * BATCH : (number + 1) * BATCH])
        return rows, self.random.integers(self.lesson.maps.shape[1], size=len(rows))

    def step(self, batch: tuple[NDArray[np.intp], NDArray[np.intp]]) -> float:
        """One step of the optimiser; its loss."""
        self.twig.train()
        x = torch.from_numpy(self.lesson.maps[batch].astype(np.float32)).contiguous(memory_format=torch.channels_last)
        right = self._right(*batch)
        share = float(self.random.beta(MIXING, MIXING))
        other = torch.from_numpy(self.random.permutation(len(x)))
        x, right = share * x + (1 - share) * x[other], share * right + (1 - share) * right[other]
        loss = self._loss(self.twig(x), right)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(loss.item())

    def resumed(self, checkpoint: Path) -> int:
        """The epochs that were done by an earlier run, whose state is taken over."""
        if not checkpoint.exists():
            return 0
        try:
            state = torch.load(checkpoint, weights_only=True)  # weights_only: it can carry no code
            self.twig.load_state_dict(state["twig"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            return int(state["epochs"])
        except Exception as error:  # torch.load has no error type of its own
            raise InputError(f"{checkpoint}: is no checkpoint of this twig; remove its folder to begin anew") from error

    def keep(self, checkpoint: Path, epochs: int) -> None:
        """Writes the state, whole or not at all."""
        parts = {"twig": self.twig, "optimizer": self.optimizer, "schedule": self.schedule}
        temporary = checkpoint.with_suffix(".part")
        torch.save({"epochs": epochs} | {name: part.state_dict() for name, part in parts.items()}, temporary)
        temporary.replace(checkpoint)

    def _right(self, rows: NDArray[np.intp], views: NDArray[np.intp]) -> torch.Tensor:
        said = torch.from_numpy(self.lesson.said[rows, views].astype(np.float32))
        if self.lesson.is_vector:
            return functional.normalize(said, dim=1)
        if self.lesson.classes is None:
            return said.exp()
        own = functional.softmax(said / SOFTNESS, dim=1)
        labels = functional.one_hot(torch.from_numpy(self.lesson.classes[rows]), said.shape[1]).float()
        return OWN_WORD * own + (1 - OWN_WORD) * (labels * (1 - SMOOTHING) + SMOOTHING / said.shape[1])

    def _loss(self, answers: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        if self.lesson.is_vector:
            # Towards vectors of length one: the angle is what embeddings are compared by.
            return ((answers - right) ** 2).sum(dim=1).mean()
        return functional.cross_entropy(answers, right)


def _folded(convolution: Any, norm: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and bias that do what a convolution and the normalisation behind it do."""
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return _array(convolution.weight * factor[:, None, None, None]), _array(norm.bias - norm.running_mean * factor)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().contiguous().numpy()
    return array
