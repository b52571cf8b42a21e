"""How a task is trained."""

from dataclasses import dataclass

from jaxlayers import _fields as fields


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

    steps: fields.PositiveInteger = fields.PositiveInteger(default=1000)
    batch_size: fields.PositiveInteger = fields.PositiveInteger(default=64)
    seed: fields.Integer = fields.Integer(at_least=0, at_most=2**63 - 1, default=0)
    log_every: fields.PositiveInteger = fields.PositiveInteger(default=10)
    sample_every: fields.PositiveInteger = fields.PositiveInteger(default=250)
    samples: fields.PositiveInteger = fields.PositiveInteger(default=64)
    evaluate_every: fields.PositiveInteger = fields.PositiveInteger(default=500)
    checkpoint_every: fields.PositiveInteger = fields.PositiveInteger(default=500)
    keep: fields.PositiveInteger = fields.PositiveInteger(default=3)
    best: fields.Optional[str, str] = fields.Optional(fields.Text())
    devices: fields.Optional[int, int] = fields.Optional(fields.PositiveInteger())
