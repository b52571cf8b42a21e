"""Keras's initializers: functions `(key, shape, dtype) -> array`, as in `jax.nn.initializers`.

Each is a frozen dataclass: hashable, equal by value, and its repr is the call that constructs it.
The key replaces Keras's `seed`. Any function of `jax.nn.initializers` can be used as well.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers._lookup import resolve
from jaxlayers.ops.random import draw

Initializer = Callable[..., Array]
Shape = Sequence[int]

_KEY = fields.Key()


class _Value(fields.Field[Any, Any]):
    """A number or an array of numbers."""

    allowed = "a number or an array of numbers"

    def convert(self, value: Any) -> Any:
        kind = getattr(value, "dtype", type(value))
        if kind in (bool, str) or not jnp.issubdtype(kind, jnp.number):
            raise ValueError
        return value


@dataclass(frozen=True)
class Zeros:
    """Initializes to zeros."""

    def __call__(self, key: Array | None, shape: Shape, dtype: Any = float) -> Array:
        return jnp.zeros(shape, dtype)


@dataclass(frozen=True)
class Ones:
    """Initializes to ones."""

    def __call__(self, key: Array | None, shape: Shape, dtype: Any = float) -> Array:
        return jnp.ones(shape, dtype)


@dataclass(frozen=True)
class Constant:
    """Initializes to a constant.

    Args:
        value: A number, or an array that broadcasts to the weight.

    Raises:
        ValueError: If `value` is not a number or an array of numbers.
    """

    value: _Value = _Value(default=0.0)

    def __call__(self, key: Array | None, shape: Shape, dtype: Any = float) -> Array:
        return jnp.full(shape, self.value, dtype)


@dataclass(frozen=True)
class Identity:
    """Initializes to the identity matrix times `gain`.

    Args:
        gain: The value on the diagonal.

    Raises:
        ValueError: If called with a shape that does not have two axes.
    """

    gain: fields.Number = fields.Number(default=1.0)

    def __call__(self, key: Array | None, shape: Shape, dtype: Any = float) -> Array:
        if len(shape) != 2:
            raise ValueError(f"Identity: shape must have two axes, got {tuple(shape)}")
        rows, columns = shape
        return self.gain * jnp.eye(rows, columns, dtype=dtype)


@dataclass(frozen=True)
class RandomNormal:
    """Draws from a normal distribution.

    Args:
        mean: Mean of the distribution.
        stddev: Standard deviation of the distribution, not negative.

    Raises:
        ValueError: If an argument is out of range.
    """

    mean: fields.Number = fields.Number(default=0.0)
    stddev: fields.Number = fields.Number(at_least=0, default=0.05)

    def __call__(self, key: Array, shape: Shape, dtype: Any = float) -> Array:
        _KEY.check("RandomNormal", "key", key)

        def sample(shape: tuple[int, ...]) -> Array:
            return self.mean + self.stddev * jax.random.normal(key, shape, dtype)

        return draw(sample, shape, key)


@dataclass(frozen=True)
class TruncatedNormal:
    """Draws from a normal distribution truncated at two standard deviations from the mean.

    Args:
        mean: Mean before truncation.
        stddev: Standard deviation before truncation, not negative.

    Raises:
        ValueError: If an argument is out of range.
    """

    mean: fields.Number = fields.Number(default=0.0)
    stddev: fields.Number = fields.Number(at_least=0, default=0.05)

    def __call__(self, key: Array, shape: Shape, dtype: Any = float) -> Array:
        _KEY.check("TruncatedNormal", "key", key)

        def sample(shape: tuple[int, ...]) -> Array:
            samples = jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype)
            return self.mean + self.stddev * samples

        return draw(sample, shape, key)


@dataclass(frozen=True)
class RandomUniform:
    """Draws from the uniform distribution in `[minval, maxval)`.

    Args:
        minval: Lower bound.
        maxval: Upper bound, at least `minval`.

    Raises:
        ValueError: If a bound is not a number, or `minval` exceeds `maxval`.
    """

    minval: fields.Number = fields.Number(default=-0.05)
    maxval: fields.Number = fields.Number(default=0.05)

    def __post_init__(self) -> None:
        if self.minval > self.maxval:
            raise ValueError(
                "RandomUniform: minval must be at most maxval, "
                f"got minval={self.minval}, maxval={self.maxval}"
            )

    def __call__(self, key: Array, shape: Shape, dtype: Any = float) -> Array:
        _KEY.check("RandomUniform", "key", key)
        return draw(
            lambda shape: jax.random.uniform(key, shape, dtype, self.minval, self.maxval),
            shape,
            key,
        )


_AXES = fields.Tuple(fields.Integer(), "a tuple of integers")
# Standard deviation of the standard normal distribution truncated at two standard deviations.
_TRUNCATED_STDDEV = 0.87962566103423978


class _Distribution(fields.Choice):
    """The name of a distribution; `"normal"` is Keras's alias of `"truncated_normal"`."""

    def __init__(self) -> None:
        names = ("truncated_normal", "untruncated_normal", "uniform", "normal")
        super().__init__(*names, any_case=True, default="truncated_normal")

    def convert(self, value: Any) -> str:
        name = super().convert(value)
        return "truncated_normal" if name == "normal" else name


@dataclass(frozen=True)
class VarianceScaling:
    """Draws from a distribution with mean 0 and variance `scale / n`.

    Unlike `jax.nn.initializers.variance_scaling`, it also accepts shapes of one axis, whose fan-in
    and fan-out are its length.

    Args:
        scale: Scaling factor, positive.
        mode: `"fan_in"`: `n` is the number of inputs of a unit; `"fan_out"`: the number of its
            outputs; `"fan_avg"`: their mean.
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"` or
            `"uniform"`.
        input_axes: The axes whose sizes multiply to fan-in, for weights that are not kernels
            `(*window, inputs, outputs)`; used only together with `output_axes`.
        output_axes: The axes whose sizes multiply to fan-out.

    Raises:
        ValueError: If an argument is out of range.
    """

    scale: fields.PositiveNumber = fields.PositiveNumber(default=1.0)
    mode: fields.Choice = fields.Choice("fan_in", "fan_out", "fan_avg", default="fan_in")
    distribution: _Distribution = _Distribution()
    input_axes: fields.Optional[Shape, tuple[int, ...]] = fields.Optional(_AXES)
    output_axes: fields.Optional[Shape, tuple[int, ...]] = fields.Optional(_AXES)

    def __call__(self, key: Array, shape: Shape, dtype: Any = float) -> Array:
        fan_in, fan_out = self._fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1, n))
        if self.distribution == "uniform":
            limit = math.sqrt(3) * stddev
            return RandomUniform(-limit, limit)(key, shape, dtype)
        if self.distribution == "untruncated_normal":
            return RandomNormal(0, stddev)(key, shape, dtype)
        return TruncatedNormal(0, stddev / _TRUNCATED_STDDEV)(key, shape, dtype)

    def _fans(self, shape: Shape) -> tuple[int, int]:
        if self.input_axes is not None and self.output_axes is not None:
            inputs = math.prod(shape[axis] for axis in self.input_axes)
            return inputs, math.prod(shape[axis] for axis in self.output_axes)
        if len(shape) < 2:
            return (math.prod(shape),) * 2
        window = math.prod(shape[:-2])
        return window * shape[-2], window * shape[-1]


def _fixed(default: Any) -> Any:
    return field(default=default, init=False, repr=False)


@dataclass(frozen=True)
class GlorotUniform(VarianceScaling):
    """Glorot uniform: uniform in ±limit, with `limit = sqrt(6 / (fan_in + fan_out))`.

    Reference:
        Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """

    scale: Any = _fixed(1.0)
    mode: Any = _fixed("fan_avg")
    distribution: Any = _fixed("uniform")


@dataclass(frozen=True)
class GlorotNormal(VarianceScaling):
    """Glorot normal: truncated normal with `stddev = sqrt(2 / (fan_in + fan_out))`.

    Reference:
        Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """

    scale: Any = _fixed(1.0)
    mode: Any = _fixed("fan_avg")
    distribution: Any = _fixed("truncated_normal")


@dataclass(frozen=True)
class HeUniform(VarianceScaling):
    """He uniform: uniform in ±limit, with `limit = sqrt(6 / fan_in)`.

    Reference:
        He et al., 2015, https://arxiv.org/abs/1502.01852
    """

    scale: Any = _fixed(2.0)
    mode: Any = _fixed("fan_in")
    distribution: Any = _fixed("uniform")


@dataclass(frozen=True)
class HeNormal(VarianceScaling):
    """He normal: truncated normal with `stddev = sqrt(2 / fan_in)`.

    Reference:
        He et al., 2015, https://arxiv.org/abs/1502.01852
    """

    scale: Any = _fixed(2.0)
    mode: Any = _fixed("fan_in")
    distribution: Any = _fixed("truncated_normal")


@dataclass(frozen=True)
class LecunUniform(VarianceScaling):
    """LeCun uniform: uniform in ±limit, with `limit = sqrt(3 / fan_in)`.

    Reference:
        LeCun et al., 1998, Efficient BackProp
    """

    scale: Any = _fixed(1.0)
    mode: Any = _fixed("fan_in")
    distribution: Any = _fixed("uniform")


@dataclass(frozen=True)
class LecunNormal(VarianceScaling):
    """LeCun normal: truncated normal with `stddev = sqrt(1 / fan_in)`.

    Reference:
        Klambauer et al., 2017, https://arxiv.org/abs/1706.02515
    """

    scale: Any = _fixed(1.0)
    mode: Any = _fixed("fan_in")
    distribution: Any = _fixed("truncated_normal")


@dataclass(frozen=True)
class Orthogonal:
    """Draws a matrix with orthonormal rows or columns, whichever are fewer, times `gain`.

    A weight with more than two axes is reshaped to a matrix whose columns are the last axis.

    Args:
        gain: Factor by which the matrix is multiplied.

    Raises:
        ValueError: If called with a shape of fewer than two axes.

    Reference:
        Saxe et al., 2014, https://arxiv.org/abs/1312.6120
    """

    gain: fields.Number = fields.Number(default=1.0)

    def __call__(self, key: Array, shape: Shape, dtype: Any = float) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: shape must have two axes or more, got {tuple(shape)}")
        _KEY.check("Orthogonal", "key", key)
        dtype = jax.dtypes.canonicalize_dtype(dtype)
        # The QR decomposition requires at least float32.
        qr_dtype = jnp.promote_types(dtype, jnp.float32)
        return jax.nn.initializers.orthogonal(self.gain)(key, tuple(shape), qr_dtype).astype(dtype)


class _Window(fields.Field[Any, str | tuple[float, ...] | None]):
    """A window by name or by its values, or `None`."""

    allowed = "a name that scipy.signal.get_window accepts, a tuple of numbers or None"

    def convert(self, value: Any) -> str | tuple[float, ...] | None:
        if isinstance(value, str):
            _window(value, 1, periodic=False)
            return value
        return None if value is None else fields.Tuple(fields.Number(), "").convert(value)


class _Scaling(fields.Field[str | None, str | None]):
    """The name of a norm, or `None`."""

    allowed = "one of 'density', 'spectrum' or None"

    def convert(self, value: Any) -> str | None:
        return None if value is None else fields.Choice("density", "spectrum").convert(value)


@dataclass(frozen=True)
class STFT:
    """Initializes the kernel of a convolution that computes a short-time Fourier transform.

    The shape of the kernel is (frame length, 1, FFT length // 2 + 1).

    Args:
        side: `"real"` or `"imag"`, the part of the transform.
        window: A name that `scipy.signal.get_window` accepts, the values of a window, or `None`.
        scaling: `"density"` divides the window by its L2 norm, `"spectrum"` by its L1 norm,
            `None` does not scale it.
        periodic: Whether the window is periodic, for spectral analysis, or symmetric, for filters;
            the argument `fftbins` of `get_window`.

    Raises:
        ValueError: If an argument is out of range.
    """

    side: fields.Choice = fields.Choice("real", "imag", default="real")
    window: _Window = _Window(default="hann")
    scaling: _Scaling = _Scaling(default="density")
    periodic: fields.Boolean = fields.Boolean(default=False)

    def __call__(self, key: Array | None, shape: Shape, dtype: Any = float) -> Array:
        frame_length, _, bins = shape
        cycles = np.arange(frame_length)[:, None, None] * np.arange(bins) / (2 * (bins - 1))
        wave = (np.cos if self.side == "real" else np.sin)(-2 * np.pi * cycles)
        if self.window is not None:
            wave = wave * self._scaled_window(frame_length)[:, None, None]
        return jnp.asarray(wave, dtype)

    def _scaled_window(self, frame_length: int) -> np.ndarray:
        if isinstance(self.window, str):
            window = _window(self.window, frame_length, self.periodic)
        else:
            window = np.asarray(self.window)
        if window.shape != (frame_length,):
            raise ValueError(
                f"STFT: window must have shape ({frame_length},), the frame length, "
                f"got {window.shape}"
            )
        norm = {None: 1, "density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(np.abs(window))}
        scaled: np.ndarray = window / norm[self.scaling]
        return scaled


def _window(name: str, length: int, periodic: bool) -> np.ndarray:
    import scipy.signal  # a dependency of JAX that takes longer to import than this package

    return np.asarray(scipy.signal.get_window(name, length, periodic))


constant, identity, ones, orthogonal, stft, zeros = (
    Constant,
    Identity,
    Ones,
    Orthogonal,
    STFT,
    Zeros,
)
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_normal, glorot_uniform, variance_scaling = GlorotNormal, GlorotUniform, VarianceScaling
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform

BY_NAME: dict[str, type] = {
    "Constant": Constant,
    "GlorotNormal": GlorotNormal,
    "GlorotUniform": GlorotUniform,
    "HeNormal": HeNormal,
    "HeUniform": HeUniform,
    "Identity": Identity,
    "LecunNormal": LecunNormal,
    "LecunUniform": LecunUniform,
    "Ones": Ones,
    "Orthogonal": Orthogonal,
    "RandomNormal": RandomNormal,
    "RandomUniform": RandomUniform,
    "STFT": STFT,
    "TruncatedNormal": TruncatedNormal,
    "VarianceScaling": VarianceScaling,
    "Zeros": Zeros,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT,
    "constant": Constant,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "identity": Identity,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "stft": STFT,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
}


def get(identifier: str | Initializer | type) -> Initializer:
    """Returns the initializer with the given identifier.

    Args:
        identifier: One of Keras's names, a class of this module, or any function
            `(key, shape, dtype) -> array`.

    Returns:
        A function `(key, shape, dtype) -> array`.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is none of these.

    Example:
        >>> get("he_normal")(jax.random.key(0), (3, 3, 8, 16), jnp.float32).shape
        (3, 3, 8, 16)
    """
    return resolve("initializer", BY_NAME, identifier)
