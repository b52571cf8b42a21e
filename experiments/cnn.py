"""Trains a convolutional classifier: `python -m experiments.cnn --help`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import optax

from experiments.command_line import run
from experiments.machines import Machines, use_compilation_cache
from experiments.resuming import finish, open_folder
from jaxlayers import Layer, data, runs, train, trainable
from jaxlayers import _fields as fields
from jaxlayers.interop import keras
from jaxlayers.layer import Params, State
from jaxlayers.models import cnn, mobilenet_v2, resnet, transfer
from jaxlayers.runs.classifier_report import write_classifier_report
from jaxlayers.runs.terminal import print_line
from jaxlayers.train import augmentation


@dataclass(frozen=True)
class Config:
    """Trains a convolutional classifier and writes all outputs to the folder of the run."""

    data: str = "mnist-5k"
    """mnist-5k (included), mnist, fashion-mnist, cifar10 (downloaded once), or a path: a folder of
    IDX files, an .npz file, a folder or .zip of images with one sub-folder per class. If the source
    has no test images, one fifth of the images is used for validation."""
    size: tuple[int, int] | None = None
    """Height and width to resize images to; required if files differ in size."""
    background: str = "white"
    """Color that transparent pixels of image files are blended with: white, black, or #rrggbb in
    hexadecimal, such as '#ff8000' (with quotes, because # begins a comment)."""
    color_mode: Literal["rgb", "grayscale"] | None = None
    """Color mode of the images; by default the color mode of the files."""
    skip_unreadable: bool = False
    """Skip image files that cannot be read, with a warning."""
    model: Literal["lenet", "vgg", "resnet18", "resnet50", "mobilenet_v2"] = "lenet"
    """lenet: two convolutions with pooling, and two fully connected layers; vgg: pairs of
    convolutions with batch normalization, which is more accurate and slower; resnet18 and resnet50:
    residual networks, which are still more accurate and slower; mobilenet_v2: for images of at
    least 64 x 64 pixels."""
    init: Path | None = None
    """Start from a trained model instead of a new --model: a .keras or .h5 file of Keras, or the
    folder of a run. The output layer is replaced if it has another number of classes."""
    new_head: bool = False
    """Replace the output layer of the --init model also if it has the same number of classes."""
    pixel_range: tuple[float, float] = (0.0, 1.0)
    """Values of black and white pixels in the training of the --init model, such as -1 1 for
    Keras's MobileNetV2."""
    freeze: bool = False
    """Train only the output layer of the --init model."""
    width: int | None = None
    """Number of filters of the first convolution; by default 64 for resnet18 and resnet50, and 32
    for the others. Other convolutions have more in proportion."""
    dropout: float | None = None
    """Rate of the dropout of lenet and vgg, the models that have one; by default the rate of the
    model."""
    epochs: int = 20
    """Number of epochs."""
    batch_size: int = 64
    """Number of images per step."""
    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    """Loss function; squared_error is half of the squared distance between the target and the
    output of the softmax."""
    label_smoothing: float = 0.0
    """Fraction of the target that is distributed over all classes."""
    class_weights: Literal["equal", "balanced"] = "equal"
    """Weights of the classes in the loss; balanced: inversely proportional to their frequencies."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Optimizer; sgd is plain gradient descent."""
    learning_rate: float | None = None
    """Initial learning rate; by default 0.001 for adam and 0.1 for sgd."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rate schedule; cosine decays to 0 at the end of the training."""
    augment: tuple[Literal["shift", "flip", "cutout"], ...] = ()
    """Random augmentations: shifts by up to 1/14 of the height, horizontal flips, and cutout of a
    square with a side of 1/4 of the height."""
    seed: int = 0
    """Seed of the params, the order of the data and all random numbers."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Dtype of computations; params, statistics, losses and optimizers are always float32."""
    devices: int | None = None
    """Number of devices that each batch is divided among; by default all devices."""
    log_every: int = 10
    """Number of steps between logged metrics."""
    checkpoint_every: int = 500
    """Number of steps between checkpoints. The last three checkpoints and the one with the smallest
    validation loss are kept."""
    out: Path | None = None
    """Folder of the run; by default runs/cnn-MODEL-TIME."""
    resume: bool = False
    """Resume the run in the folder from its last checkpoint."""
    resume_step: int | None = None
    """Resume from the checkpoint at this step instead of the last one."""
    machines: Machines = field(default_factory=Machines)
    """Multi-process training."""
    compilation_cache: bool = True
    """Whether to cache compiled programs in the user's cache folder."""

    def resolved(self) -> "Config":
        """Returns the config with the defaults of the model and the optimizer filled in."""
        rate, width = self.learning_rate, self.width
        default_width = 64 if self.model.startswith("resnet") else 32
        return replace(
            self,
            learning_rate=_LEARNING_RATES[self.optimizer] if rate is None else rate,
            width=default_width if width is None else width,
        )

    def decoding(self) -> dict[str, Any]:
        """Returns the arguments of `data.load` for the decoding of image files."""
        names = ("size", "background", "color_mode", "skip_unreadable")
        return {name: getattr(self, name) for name in names}

    def changeable(self, started: "Config") -> tuple[str, ...]:
        """Returns the additional fields that may differ when a run is resumed."""
        # A cosine schedule depends on the number of epochs.
        return ("epochs",) if self.schedule == "constant" else ()


_LEARNING_RATES = {"adam": 1e-3, "sgd": 0.1}
# Smaller images are not reduced by the first layers of residual networks.
_LEAST_REDUCED_SIZE = 64
# Keras's momentum of the moving statistics, up to 0.999, is for trainings of many more steps.
_MOMENTUM = 0.9


def main(config: Config) -> int:
    """Trains the model and returns the exit status, 130 after Ctrl-C and 143 after SIGTERM."""
    config = config.resolved()
    resume = config.resume if config.resume_step is None else config.resume_step
    if config.epochs < 1:
        raise ValueError(f"epochs must be a positive integer, got {config.epochs}")
    config.machines.join()
    if config.compilation_cache:
        use_compilation_cache()
    training, validation = data.load_with_validation(config.data, **config.decoding())
    assert training.labels is not None
    names = training.class_names or tuple(map(str, range(training.labels.max() + 1)))
    model, initial = _model(config, training.image_shape, len(names))
    # fit raises an error if there are fewer images than the batch size.
    steps_per_epoch = max(1, len(training) // max(1, config.batch_size))
    steps = config.epochs * steps_per_epoch
    task = train.Classifier(
        train.InBfloat16(model) if config.precision == "bfloat16" else model,
        _optimizer(config, steps, model, initial),
        config.loss,
        config.label_smoothing,
        _balanced_class_weights(training.labels, len(names))
        if config.class_weights == "balanced"
        else None,
        _augmentations(config, training.image_shape[0]),
    )
    fit_config = train.FitConfig(
        steps=steps,
        batch_size=config.batch_size,
        seed=config.seed,
        log_every=config.log_every,
        evaluate_every=steps_per_epoch,
        checkpoint_every=config.checkpoint_every,
        best="val_loss",
        devices=config.devices,
    )
    out = config.out or Path("runs") / f"cnn-{config.model}-{datetime.now():%Y%m%d-%H%M%S}"
    folder = open_folder(config, out)
    if jax.process_index() == 0:
        print_line(
            f"{training}\n{len(validation)} images for validation\n{steps} steps, into {out}"
        )
    result = train.fit(
        *(task, training, fit_config, folder),
        validation_data=validation,
        initial=initial,
        resume=resume,
    )
    if jax.process_index() == 0:
        params, state = jax.device_get((result.train_state.params, result.train_state.state))
        print_line(write_classifier_report(folder, model, params, state, validation, names))
    return finish(config, out, fit_config, result)


def _model(
    config: Config, shape: tuple[int, ...], classes: int
) -> tuple[Layer, tuple[Params, State] | None]:
    """Returns the model, and its params and state if it is a trained one."""
    if config.init is None:
        for name in ("freeze", "new_head", "pixel_range"):
            if getattr(config, name) != getattr(Config, name):
                raise ValueError(
                    f"cnn: {name} must be passed together with --init, a trained model"
                )
        return _new_model(config, shape, classes), None
    load = runs.load if config.init.is_dir() else keras.load
    model, *weights = transfer.classifier(
        *load(config.init),
        input_shape=shape,
        classes=classes,
        key=jax.random.key(config.seed),
        pixel_range=config.pixel_range,
        freeze=config.freeze,
        new_head=config.new_head,
    )
    return model, (weights[0], weights[1])


def _new_model(config: Config, shape: tuple[int, ...], classes: int) -> Layer:
    width = fields.PositiveInteger().check(config.model, "width", config.width)
    if config.model in ("lenet", "vgg"):
        options = {} if config.dropout is None else {"dropout": config.dropout}
        make = {"lenet": cnn.lenet, "vgg": cnn.vgg}[config.model]
        return make(shape, classes, width, **options)
    if config.dropout is not None:
        raise ValueError(
            f"{config.model}: dropout must not be passed, because this model has none, got "
            f"{config.dropout}"
        )
    if config.model == "mobilenet_v2":
        return mobilenet_v2.mobilenet_v2(shape, classes, alpha=width / 32, momentum=_MOMENTUM)
    make_resnet = {"resnet18": resnet.resnet18, "resnet50": resnet.resnet50}[config.model]
    is_small = min(shape[:2]) < _LEAST_REDUCED_SIZE
    stem: resnet.Stem = "cifar" if is_small else "imagenet"
    return make_resnet(shape, classes, width=width, stem=stem, momentum=_MOMENTUM)


def _optimizer(
    config: Config, steps: int, model: Layer, initial: tuple[Params, State] | None
) -> optax.GradientTransformation:
    rate = config.learning_rate
    if rate is None or not rate > 0:
        raise ValueError(f"learning_rate must be above 0, got {rate}")
    make: Callable[..., optax.GradientTransformation] = getattr(optax, config.optimizer)
    schedule = optax.cosine_decay_schedule(rate, steps) if config.schedule == "cosine" else rate
    # Its state then contains the learning rate, which is logged.
    optimizer = optax.inject_hyperparams(make)(learning_rate=schedule)
    if initial is None or not config.freeze:
        return optimizer
    return train.frozen(optimizer, trainable(model, initial[0]))


def _augmentations(config: Config, height: int) -> tuple[augmentation.Augmentation, ...]:
    augmentations: dict[str, augmentation.Augmentation] = {
        "shift": augmentation.Shift(max(1, round(height / 14))),
        "flip": augmentation.Flip(),
        "cutout": augmentation.Cutout(max(1, height // 4)),
    }
    return tuple(augmentations[name] for name in config.augment)


def _balanced_class_weights(labels: np.ndarray, classes: int) -> list[float]:
    """Returns weights that balance the classes and have a mean of 1 over the images."""
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return [float(weight) for weight in weights]


if __name__ == "__main__":
    sys.exit(run(main, Config))
