"""How a task is trained."""

from dataclasses import dataclass

from jaxlayers import _fields as fields


@dataclass(frozen=True)
class FitConfig:
    """How a task is trained.

    Args:
        steps: how many steps.
        batch_size: examples per step, over all devices.
        seed: of the params, the order of the data and all random numbers; not negative.
        log_every: steps between two logged steps.
        sample_every: steps between two grids of samples.
        samples: how many images such a grid shows.
        evaluate_every: steps between two evaluations of validation data, where there are any.
        checkpoint_every: steps between two checkpoints.
        keep: how many of the last checkpoints stay.
        best: name of a metric, such as `val_loss` or `val_accuracy`; the checkpoint at which it
            was best stays as well. Smaller is better, but larger for accuracies and the like.
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
