"""Latent vectors of a generator: interpolation, arithmetic and truncation.

The latent vectors of a `train.GAN` are uniform in [-1, 1], with mean 0.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields

# Below this sine of the angle, two vectors have the same or opposite directions.
_PARALLEL = 1e-6
_FRACTION = fields.Number(at_least=0, at_most=1)


def uniform(key: Array, n: int, latent_shape: int | Sequence[int]) -> Array:
    """Returns random latent vectors, uniform in [-1, 1], as a `train.GAN` draws them.

    Args:
        key: A JAX random key.
        n: Number of vectors.
        latent_shape: Length of a vector, or the shape of one latent array.

    Returns:
        [n, *latent_shape].
    """
    shape = (latent_shape,) if isinstance(latent_shape, int) else tuple(latent_shape)
    return jax.random.uniform(key, (n, *shape), minval=-1.0, maxval=1.0)


def linear(start: Array, end: Array, position: Array | float) -> Array:
    """Returns latent vectors on the straight lines between others.

    In the middle of a line, vectors are shorter than those that the generator was trained with: the
    sum of two independent vectors, divided by 2, has 0.71 times their length.

    Args:
        start: Vectors, [..., latent_size].
        end: Vectors of the same shape.
        position: Position between `start`, 0, and `end`, 1; a scalar, or an array [positions].

    Returns:
        [..., latent_size]; [positions, ..., latent_size] if there are several positions.

    Raises:
        ValueError: If the shapes of `start` and `end` differ, or `position` has more than one axis.

    Example:
        >>> linear(jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0]), jnp.array([0.0, 0.25])).tolist()
        [[0.0, 1.0], [0.25, 0.75]]
    """
    start, end, position = _checked("linear", start, end, position)
    return (1 - position) * start + position * end


def spherical(start: Array, end: Array, position: Array | float) -> Array:
    """Returns latent vectors on the arcs between others, which have about their lengths.

    The direction moves at constant speed on the great circle through both vectors. If there
    is no unique great circle, because the vectors have the same or opposite directions or one of
    them is 0, the interpolation is linear. Interpolated values may be slightly outside of [-1, 1].

    Args:
        start: Vectors, [..., latent_size].
        end: Vectors of the same shape.
        position: As in `linear`.

    Returns:
        [..., latent_size]; [positions, ..., latent_size] if there are several positions.

    Raises:
        ValueError: If the shapes of `start` and `end` differ, or `position` has more than one axis.

    Reference:
        White, 2016, https://arxiv.org/abs/1609.04468

    Example:
        >>> spherical(jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0]), 0.5).round(4)
        Array([0.7071, 0.7071], dtype=float32)
    """
    start, end, position = _checked("spherical", start, end, position)
    a, b = _unit(start), _unit(end)
    # Accurate for all angles, unlike the arc cosine of the inner product.
    angle = 2 * jnp.arctan2(_norm(a - b), _norm(a + b))
    sine = jnp.sin(angle)
    parallel = (sine < _PARALLEL) | (_norm(start) * _norm(end) == 0)
    sine = jnp.where(parallel, 1.0, sine)
    first = jnp.where(parallel, 1 - position, jnp.sin((1 - position) * angle) / sine)
    second = jnp.where(parallel, position, jnp.sin(position * angle) / sine)
    return first * start + second * end


INTERPOLATIONS: dict[str, Callable[[Array, Array, Array | float], Array]] = {
    "linear": linear,
    "spherical": spherical,
}
"""Interpolations by name."""


def arithmetic(a: Array, b: Array, c: Array) -> Array:
    """Returns `mean(a) - mean(b) + mean(c)`.

    If `a` are latent vectors of images with two attributes, such as smiling women, and `b` and `c`
    differ in one of them, such as women and men who do not smile, then the result is a vector of an
    image with the other combination, a smiling man. The means of several vectors, three in the
    paper, give more stable results than single vectors.

    Args:
        a: Vectors, [vectors, latent_size].
        b: Vectors, [vectors, latent_size]; their number may be different.
        c: Vectors, [vectors, latent_size].

    Returns:
        [latent_size].

    Raises:
        ValueError: If an array does not have this shape, or has no vectors.

    Reference:
        Radford et al., 2016, section 6.3.2, https://arxiv.org/abs/1511.06434

    Example:
        >>> arithmetic(jnp.array([[1.0, 1.0], [1.0, 3.0]]), jnp.ones((1, 2)), jnp.zeros((3, 2)))
        Array([0., 1.], dtype=float32)
    """
    arrays = {"a": jnp.asarray(a), "b": jnp.asarray(b), "c": jnp.asarray(c)}
    for name, array in arrays.items():
        if array.ndim != 2 or not len(array) or array.shape[1:] != arrays["a"].shape[1:]:
            raise ValueError(
                f"arithmetic: {name} must be of shape [vectors, latent_size], with at least one "
                f"vector and the same latent_size as the others, got shape {array.shape}"
            )
    return arrays["a"].mean(0) - arrays["b"].mean(0) + arrays["c"].mean(0)


def truncate(latents: Array, truncation: Array | float) -> Array:
    """Returns latent vectors scaled towards their mean, 0: the truncation trick.

    Smaller values give more typical, but more similar images. For latent vectors that are uniform
    in [-1, 1], scaling and truncation are the same: the distribution of the scaled vectors, uniform
    in [-truncation, truncation], is that of all vectors without values outside of this range. A
    conditional generator takes the scaled vectors with the same labels, because they have the same
    mean for all classes.

    Args:
        latents: Vectors, [..., latent_size].
        truncation: The factor, from 0, for the mean only, to 1, for no truncation.

    Returns:
        An array of the same shape.

    Raises:
        ValueError: If `truncation` is a number that is not from 0 to 1.

    Reference:
        Brock et al., 2019, https://arxiv.org/abs/1809.11096 (values outside of a range are drawn
        again); Karras et al., 2019, https://arxiv.org/abs/1812.04948 (scaling towards the mean)

    Example:
        >>> truncate(jnp.array([-1.0, 0.5]), 0.5).tolist()
        [-0.5, 0.25]
    """
    if not isinstance(truncation, jax.Array):
        truncation = _FRACTION.check("truncate", "truncation", truncation)
    return latents * truncation


def rows_between(name: str, latents: Array, columns: int) -> Array:
    """Returns rows of latent vectors, each from one given vector to the next one.

    Args:
        name: `"linear"` or `"spherical"`.
        latents: The first and the last vector of each row in turn, [2 * rows, latent_size].
        columns: Number of vectors per row, at least 2.

    Returns:
        [rows * columns, latent_size], row by row.

    Raises:
        ValueError: If the name is unknown, the number of vectors is odd, or `columns` is below 2.

    Example:
        >>> rows_between("linear", jnp.array([[0.0], [1.0], [5.0], [9.0]]), 3)[:, 0].tolist()
        [0.0, 0.5, 1.0, 5.0, 7.0, 9.0]
    """
    name = fields.Choice(*INTERPOLATIONS).check("rows_between", "name", name)
    columns = fields.Integer(at_least=2).check("rows_between", "columns", columns)
    if len(latents) % 2:
        raise ValueError(
            f"rows_between: latents must be an even number of vectors, got {len(latents)}"
        )
    vectors = INTERPOLATIONS[name](latents[::2], latents[1::2], jnp.linspace(0, 1, columns))
    return jnp.swapaxes(vectors, 0, 1).reshape(-1, *latents.shape[1:])


def _checked(owner: str, start: Array, end: Array, position: Array | float) -> Sequence[Array]:
    """Returns the arguments of an interpolation as arrays that can be broadcast."""
    start, end, position = jnp.asarray(start), jnp.asarray(end), jnp.asarray(position)
    if start.ndim < 1 or start.shape != end.shape:
        raise ValueError(
            f"{owner}: start and end must be of the same shape [..., latent_size], "
            f"got shapes {start.shape} and {end.shape}"
        )
    if position.ndim > 1:
        raise ValueError(
            f"{owner}: position must be a scalar or of shape [positions], "
            f"got shape {position.shape}"
        )
    return start, end, position.reshape(position.shape + (1,) * start.ndim)


def _norm(vectors: Array) -> Array:
    return jnp.sqrt((vectors * vectors).sum(-1, keepdims=True))


def _unit(vectors: Array) -> Array:
    """Returns vectors of length 1; vectors of length 0 are unchanged."""
    norm = _norm(vectors)
    return vectors / jnp.where(norm == 0, 1, norm)
