"""How a task is trained."""

from dataclasses import dataclass

_COUNTS = (
    "steps",
    "batch_size",
    "log_every",
    "sample_every",
    "samples",
    "evaluate_every",
    "checkpoint_every",
    "keep",
)


@dataclass(frozen=True)
class FitConfig:
    """How a task is trained.

    Args:
        steps: how many steps.
        batch_size: images a step, over all devices.
        seed: of the params, the order of the data and all random numbers; not negative.
        log_every: steps between two lines of metrics.
        sample_every: steps between two pictures of samples.
        samples: how many images such a picture shows.
        evaluate_every: steps between two evaluations of held-out data, where there are such.
        checkpoint_every: steps between two checkpoints.
        keep: how many of the last checkpoints stay.
        best: name of a metric, such as `val_loss`; the checkpoint at which it was smallest
            stays as well.
        devices: how many devices share each batch; all where `None`.

    Raises:
        ValueError: a number out of its range.
    """

    steps: int = 1000
    batch_size: int = 64
    seed: int = 0
    log_every: int = 10
    sample_every: int = 250
    samples: int = 64
    evaluate_every: int = 500
    checkpoint_every: int = 500
    keep: int = 3
    best: str | None = None
    devices: int | None = None

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"FitConfig: {name} must be a positive integer, got {value!r}")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ValueError(
                f"FitConfig: seed must be an integer from 0 to 2**63 - 1, got {self.seed!r}"
            )
        if self.devices is not None and (not isinstance(self.devices, int) or self.devices < 1):
            raise ValueError(
                f"FitConfig: devices must be a positive integer or None, got {self.devices!r}"
            )
