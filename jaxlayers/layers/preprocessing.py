"""Layers that scale the data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import config
from jaxlayers._text import short_repr
from jaxlayers.layer import Layer, Params, Shape, State
from jaxlayers.layers import arguments, axes, weights
from jaxlayers.layers.precision import at_least_float32


@dataclass(frozen=True, repr=False)
class Rescaling(Layer):
    """Computes `x * scale + offset`; Keras's `Rescaling`.

    For example, `Rescaling(1 / 255)` scales images from [0, 255] to [0, 1], and
    `Rescaling(1 / 127.5, -1)` to [-1, 1].

    Args:
        scale: A number, or an array that broadcasts to an example, such as one number per channel.
            As in Keras, if `image_data_format` is `"channels_first"` when the layer is constructed,
            the axes of an array are the first of an image.
        offset: Likewise, an array always for the last axes.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is not a finite number or an array of them, or does not broadcast
            to an example.

    Example:
        >>> Rescaling(0.5, -1).apply({}, {}, jnp.array([[0, 4]]))[0].tolist()
        [[-1.0, 1.0]]
    """

    scale: fields.Numbers = fields.Numbers()
    offset: fields.Numbers = fields.Numbers(default=0.0)
    image_data_format: str = field(init=False, default_factory=config.image_data_format)

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        self.output_shape(arguments.shape_of_examples(self, x))
        x, dtype = at_least_float32(x)
        scale, offset = (
            value.astype(x.dtype).reshape((1,) * (x.ndim - value.ndim) + value.shape)
            for value in (self._scale(), np.asarray(self.offset))
        )
        y = x * scale + offset
        return y.astype(dtype), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        for name, value in (("scale", self._scale()), ("offset", np.asarray(self.offset))):
            if not _broadcasts(value.shape, shape):
                raise ValueError(
                    f"{self!r}: {name} must broadcast to examples of shape {shape}, "
                    f"got an array of shape {value.shape}"
                )
        return shape

    def _scale(self) -> np.ndarray:
        scale = np.asarray(self.scale)
        if scale.ndim == 0 or self.image_data_format == "channels_last":
            return scale
        return scale.reshape(scale.shape + (1,) * (3 - scale.ndim))


class _KeptAxes(fields.Field[int | Sequence[int] | None, tuple[int, ...]]):
    """An axis or several, as a tuple; `None` for none."""

    allowed = "an integer, a tuple of integers or None"

    def convert(self, value: Any) -> tuple[int, ...]:
        if value is None:
            return ()
        axes = fields.Tuple(fields.Integer(), self.allowed)
        return axes.convert((value,) if isinstance(value, int) else value)


_OptionalNumbers = fields.Optional[float | Sequence[Any] | np.ndarray | Array, fields.NestedFloats]


@dataclass(frozen=True, repr=False)
class Normalization(Layer):
    """Computes `(x - mean) / sqrt(variance)`; Keras's `Normalization`.

    The mean and the variance are arguments, or in the state. `adapt` returns the state with those
    of a data set, as Keras's method of this name sets them. Those that `init` returns are 0 and 1.
    The computation uses at least float32 for any dtype of the input. The standard deviation is at
    least 1e-7.

    Args:
        axis: The axis or axes along which mean and variance differ, counting the batch; `None` for
            a single mean and variance.
        mean: A number, or an array that broadcasts to the sizes of the input along `axis`; `None`
            for the mean in the state.
        variance: Likewise; either both are given or none.
        invert: Whether to compute the inverse, `x * sqrt(variance) + mean`.

    State:
        `mean` and `variance`, the sizes of the input along `axis`; none if they are arguments.

    Input shape:
        [batch, ...].

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is invalid, or does not match the input.

    Example:
        >>> data = jnp.array([[0.0, 7.0], [2.0, 9.0], [0.0, 7.0], [2.0, 9.0]])
        >>> layer = Normalization()
        >>> layer.apply({}, layer.adapt(data), data[:1])[0].tolist()
        [[-1.0, -1.0]]
        >>> Normalization(mean=3.0, variance=4.0).apply({}, {}, data[:1])[0].tolist()
        [[-1.5, 2.0]]
    """

    axis: _KeptAxes = _KeptAxes(default=(-1,))
    mean: _OptionalNumbers = fields.Optional(fields.Numbers())
    variance: _OptionalNumbers = fields.Optional(fields.Numbers(at_least=0))
    invert: fields.Boolean = fields.Boolean(default=False)

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.variance is None):
            raise ValueError(
                "Normalization: mean and variance must be given together, got "
                f"mean={short_repr(self.mean)} and variance={short_repr(self.variance)}"
            )
        mean_shape, variance_shape = np.asarray(self.mean).shape, np.asarray(self.variance).shape
        if mean_shape != variance_shape or len(mean_shape) > len(self.axis):
            raise ValueError(
                "Normalization: mean and variance must be two numbers, or two arrays of the same "
                f"shape with at most one axis for each axis in axis={self.axis}, got "
                f"mean={short_repr(self.mean)} and variance={short_repr(self.variance)}"
            )

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        shapes = self._statistics(input_shape)
        fields.Key().check(self, "key", key)
        initial = {"mean": jnp.zeros, "variance": jnp.ones}
        return {}, {name: initial[name](shape) for name, shape in shapes.items()}

    def adapt(self, data: Array) -> State:
        """Returns the state with the mean and the variance of a data set.

        Args:
            data: [examples, ...].

        Raises:
            ValueError: If the mean and the variance are arguments of the layer, there are no
                examples, or they do not have the axes.
            TypeError: If `data` is not an array.
        """
        if not hasattr(data, "ndim"):
            raise TypeError(f"{self!r}: data must be an array, got {type(data).__name__}")
        if self.mean is not None:
            raise ValueError(
                f"{self!r}: mean and variance must be None for adapt, which computes them"
            )
        if data.ndim == 0 or data.size == 0:
            raise ValueError(
                f"{self!r}: data must be [examples, ...] with at least one example, got an array "
                f"of shape {tuple(data.shape)}"
            )
        kept = axes.positive_axes(self, data.shape[1:])
        over = tuple(axis for axis in range(data.ndim) if axis not in kept)
        data, _ = at_least_float32(data)
        return {"mean": jnp.mean(data, over), "variance": jnp.var(data, over)}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        shape = arguments.shape_of_examples(self, x)
        weights.check(self, "params", params, {})
        weights.check(self, "state", state, self._statistics(shape))
        x, dtype = at_least_float32(x)
        mean, variance = (
            self._along_axis(statistic, shape).astype(x.dtype)
            for statistic in (
                (state["mean"], state["variance"])
                if self.mean is None
                else (np.asarray(self.mean), np.asarray(self.variance))
            )
        )
        stddev = jnp.maximum(jnp.sqrt(variance), 1e-7)
        y = x * stddev + mean if self.invert else (x - mean) / stddev
        return y.astype(dtype), state

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        shape = arguments.example_shape(self, input_shape)
        kept = self._kept_shape(shape)
        if self.mean is not None and not _broadcasts(np.asarray(self.mean).shape, kept):
            raise ValueError(
                f"{self!r}: mean and variance must broadcast to the shape {kept} for examples of "
                f"shape {shape}, got arrays of shape {np.asarray(self.mean).shape}"
            )
        return shape

    def _statistics(self, input_shape: Sequence[int]) -> dict[str, Shape]:
        """Returns the shapes of the state."""
        shape = self.output_shape(input_shape)
        names = ("mean", "variance") if self.mean is None else ()
        return dict.fromkeys(names, self._kept_shape(shape))

    def _kept_shape(self, shape: Shape) -> Shape:
        return tuple(shape[axis - 1] for axis in sorted(axes.positive_axes(self, shape)))

    def _along_axis(self, statistic: Any, shape: Shape) -> Any:
        """Reshapes a mean or a variance so that it broadcasts to the input."""
        statistic = jnp.broadcast_to(statistic, self._kept_shape(shape))
        kept = axes.positive_axes(self, shape)
        return jnp.reshape(
            statistic,
            [1, *(size if axis in kept else 1 for axis, size in enumerate(shape, start=1))],
        )


def _broadcasts(shape: Shape, target: Shape) -> bool:
    """Returns whether an array of a shape broadcasts to a target shape."""
    try:
        return np.broadcast_shapes(shape, target) == tuple(target)
    except ValueError:
        return False
