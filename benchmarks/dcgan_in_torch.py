"""A training step of the DCGAN in PyTorch, with the same optimizations.

Channels last, one pass of the generator for both halves, the loss from logits, no copies.
"""

from collections.abc import Callable

import torch
from torch import nn


def _generator() -> nn.Module:
    def convolve(inputs: int, filters: int) -> list[nn.Module]:
        return [
            nn.ConvTranspose2d(inputs, filters, 5, padding=2),
            nn.BatchNorm2d(filters, eps=1e-3, momentum=0.1),
            nn.ReLU(inplace=True),
        ]

    return nn.Sequential(
        nn.Linear(100, 7 * 7 * 256),
        nn.BatchNorm1d(7 * 7 * 256, eps=1e-3, momentum=0.1),
        nn.ReLU(inplace=True),
        nn.Unflatten(1, (256, 7, 7)),
        nn.Dropout(0.4),
        nn.Upsample(scale_factor=2),
        *convolve(256, 128),
        nn.Upsample(scale_factor=2),
        *convolve(128, 64),
        *convolve(64, 32),
        nn.ConvTranspose2d(32, 1, 5, padding=2),
        nn.Sigmoid(),
    )


def _discriminator() -> nn.Module:
    def convolve(inputs: int, filters: int, strides: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inputs, filters, 5, stride=strides, padding=2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Dropout(0.4),
        ]

    return nn.Sequential(
        *convolve(1, 64, 2),
        *convolve(64, 128, 2),
        *convolve(128, 256, 2),
        *convolve(256, 512, 1),
        nn.Flatten(),
        nn.Linear(512 * 4 * 4, 1),
    )


def training_step(
    batch_size: int, device: str = "cpu", compiled: bool = False, bfloat16: bool = False
) -> Callable[[], object]:
    """Returns a function that takes one step on the same random images."""
    generator = _generator().to(device, memory_format=torch.channels_last)
    discriminator = _discriminator().to(device, memory_format=torch.channels_last)
    optimizer_g = torch.optim.RMSprop(generator.parameters(), lr=1e-4, alpha=0.9, eps=1e-7)
    optimizer_d = torch.optim.RMSprop(discriminator.parameters(), lr=2e-4, alpha=0.9, eps=1e-7)
    criterion = nn.BCEWithLogitsLoss()
    images = torch.rand(batch_size, 1, 28, 28, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.cat([torch.ones(batch_size, 1), torch.zeros(batch_size, 1)]).to(device)
    ones = torch.ones(batch_size, 1, device=device)

    def losses() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            latents = torch.rand(batch_size, 100, device=device) * 2 - 1
            fakes = generator(latents)
            logits = discriminator(torch.cat([images, fakes.detach()]))
        optimizer_d.zero_grad(set_to_none=True)
        criterion(logits.float(), labels).backward()
        optimizer_d.step()
        # The discriminator's parameters are not updated in the generator's half.
        discriminator.requires_grad_(False)
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            logits = discriminator(fakes)
        optimizer_g.zero_grad(set_to_none=True)
        loss = criterion(logits.float(), ones)
        loss.backward()
        optimizer_g.step()
        discriminator.requires_grad_(True)
        return loss.detach()

    if compiled:
        generator, discriminator = torch.compile(generator), torch.compile(discriminator)

    def step() -> None:
        losses()
        if device != "cpu":
            torch.cuda.synchronize()

    return step
