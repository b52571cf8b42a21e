"""The configuration of a training run."""

from dataclasses import dataclass

from jaxlayers import _fields as fields


@dataclass(frozen=True)
class FitConfig:
    """The configuration of a training run.

    Args:
        steps: Number of training steps.
        batch_size: Number of examples per step, over all devices.
        seed: Seed of the params, the order of the data and all random numbers; not negative.
        log_every: Number of steps between logged metrics.
        sample_every: Number of steps between grids of samples.
        samples: Number of images per grid.
        sample_columns: Number of images per row of a grid; `None` for a near-square grid.
        evaluate_every: Number of steps between evaluations on the validation data, if any.
        score_every: Number of steps between scores of generated images, if any.
        checkpoint_every: Number of steps between checkpoints.
        keep: Number of latest checkpoints to keep.
        best: Name of a metric, such as `val_loss`, `val_accuracy` or `classifier_frechet_distance`,
            whose best checkpoint is kept as well. Smaller is better, except for the metrics listed
            in `EarlyStopping`.
        devices: Number of devices that each batch is divided among; `None` for all.

    Raises:
        ValueError: If an argument is out of range.
    """

    steps: fields.PositiveInteger = fields.PositiveInteger(default=1000)
    batch_size: fields.PositiveInteger = fields.PositiveInteger(default=64)
    seed: fields.Integer = fields.Integer(at_least=0, at_most=2**63 - 1, default=0)
    log_every: fields.PositiveInteger = fields.PositiveInteger(default=10)
    sample_every: fields.PositiveInteger = fields.PositiveInteger(default=250)
    samples: fields.PositiveInteger = fields.PositiveInteger(default=64)
    sample_columns: fields.Optional[int, int] = fields.Optional(fields.PositiveInteger())
    evaluate_every: fields.PositiveInteger = fields.PositiveInteger(default=500)
    score_every: fields.PositiveInteger = fields.PositiveInteger(default=1000)
    checkpoint_every: fields.PositiveInteger = fields.PositiveInteger(default=500)
    keep: fields.PositiveInteger = fields.PositiveInteger(default=3)
    best: fields.Optional[str, str] = fields.Optional(fields.Text())
    devices: fields.Optional[int, int] = fields.Optional(fields.PositiveInteger())
