"""The network: one picture in, how likely flame and smoke are in each cell of 8x8 px out."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDE_PX: Final = 320
TALL_PX: Final = 224
CLEAR_CELLS: Final = 8.0  # so many wrong cells of a clear picture weigh as much as a missed fire
RARE: Final = -3.0  # the log odds that training begins with: most cells are clear
POOLED: Final = (3, 12)  # the cells whose mean says whether a picture shows flame, smoke


def _conv(inner: int, outer: int, size: int = 3, step: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, size, step, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
    )


class Block(nn.Module):
    """Depthwise, then out to twice the width and back, beside the identity."""

    def __init__(self, width: int, size: int = 3, more: int = 2) -> None:
        super().__init__()
        self.way = nn.Sequential(
            _conv(width, width, size, groups=width),
            nn.Conv2d(width, width * more, 1, bias=False),
            nn.BatchNorm2d(width * more),
            nn.ReLU(inplace=True),
            nn.Conv2d(width * more, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.way(x))


class Network(nn.Module):
    """uint8 BGR (n, h, w, 3), h and w divisible by 32, to logits (n, 2, h/8, w/8): flame, smoke.

    The first step goes straight to a quarter of the size: on a CPU most time goes into the first,
    large maps. Three scales are added up again at an eighth, so that each cell knows its surroundings.
    """

    def __init__(self, widths: tuple[int, int, int] = (24, 40, 64)) -> None:
        super().__init__()
        a, b, c = widths
        self.first = nn.Sequential(
            nn.Conv2d(3, a, 6, 4, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True)
        )
        self.eighth = nn.Sequential(_conv(a, b, step=2), Block(b))
        self.sixteenth = nn.Sequential(_conv(b, c, step=2), Block(c), Block(c, 5))
        self.thirtysecond = nn.Sequential(_conv(c, c, step=2), Block(c, 5), Block(c, 5))
        self.from_32 = nn.Conv2d(c, b, 1)
        self.from_16 = nn.Conv2d(c, b, 1)
        last = nn.Conv2d(b, 2, 1)
        nn.init.constant_(last.bias, RARE)
        self.head = nn.Sequential(Block(b, more=1), last)

    def forward(self, pictures: Tensor) -> Tensor:
        x = pictures.permute(0, 3, 1, 2).to(torch.float32) * (1 / 64.0) - 2.0
        eighth = self.eighth(self.first(x))
        sixteenth = self.sixteenth(eighth)
        far = self.from_16(sixteenth) + _twice(self.from_32(self.thirtysecond(sixteenth)))
        return self.head(torch.relu(eighth + _twice(far)))


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def pooled(logits: Tensor) -> Tensor:
    """(n, 2): the logit of the whole picture, the mean of its likeliest cells."""
    flat = logits.flatten(2)
    return torch.stack(
        [flat[:, which].topk(count, dim=1).values.mean(dim=1) for which, count in enumerate(POOLED)], dim=1
    )


def loss_of(logits: Tensor, truth: Tensor, weight: Tensor, whole: Tensor) -> Tensor:
    """Cells shown, cells clear, and the picture as a whole.

    Cells shown are averaged per picture first: a large fire is one fire, and a small one is, too. Cells
    clear weigh by the square of their likelihood (focal, after Lin et al. 2017): almost all are easy.
    """
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none") * weight
    shown = (truth > 0.5) & (weight > 0)
    clear = (truth < 0.5) & (weight > 0)
    with torch.no_grad():
        wrong = torch.sigmoid(logits) ** 2
    hits = (each * shown).flatten(2).sum(2) / shown.flatten(2).sum(2).clamp(min=1)
    alarms = (each * wrong * clear).flatten(2).sum(2) / CLEAR_CELLS
    known = whole >= 0
    image = functional.binary_cross_entropy_with_logits(pooled(logits), whole.clamp(min=0), reduction="none")
    return (hits + alarms).sum(1).mean() + 0.5 * (image * known).sum() / known.sum().clamp(min=1)
