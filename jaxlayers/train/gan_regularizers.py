"""Gradient penalties of the discriminator of a GAN.

Each is a frozen dataclass: hashable, equal by value, and its repr is the call that constructs it.
As a function, it takes the discriminator, real images, generated images and a key, and returns a
scalar that is added to the loss of the discriminator. The discriminator is a function of images
only; that of a conditional GAN is called with the labels of the batch, which real and generated
images have in common.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from jaxlayers import _fields as fields
from jaxlayers.train import _checks

Discriminator = Callable[[Array], Array]
"""images [batch, height, width, channels] -> logits [batch, 1]"""

Regularizer = Callable[[Discriminator, Array, Array, Array], Array]
"""(discriminator, real images, generated images, key) -> scalar"""


@dataclass(frozen=True)
class LazyRegularizer(ABC):
    """The base class of regularizers that are not computed in every step.

    Subclasses define `__call__`. In every `every`-th step, beginning with the first one, the
    penalty is multiplied by `every` and added to the loss, so that its mean over the steps does not
    depend on `every`. In all other steps it is not computed.

    Args:
        weight: Factor of the penalty, not negative.
        every: Number of steps from one computation of the penalty to the next.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Karras et al., 2020, appendix B, lazy regularization, https://arxiv.org/abs/1912.04958
    """

    weight: fields.Number = fields.Number(at_least=0, default=1.0)
    every: fields.PositiveInteger = fields.PositiveInteger(default=1)

    @abstractmethod
    def __call__(self, discriminator: Discriminator, real: Array, fake: Array, key: Array) -> Array:
        """Returns the penalty, without the factor `every`.

        Args:
            discriminator: A function from images to logits, [batch, 1].
            real: Real images, [batch, height, width, channels].
            fake: Generated images of the same shape.
            key: A JAX random key.

        Returns:
            A scalar.
        """


@dataclass(frozen=True)
class R1(LazyRegularizer):
    """The penalty `weight / 2 * mean(|gradient|**2)` on real images.

    The gradient is that of the logit of an image with respect to the image; `|gradient|**2` is the
    sum of its squares, and the mean is over the batch. Images have values from -1 to 1 if the
    generator ends in tanh, otherwise from 0 to 1.

    Args:
        weight: Factor of the penalty, gamma in the paper.
        every: Number of steps from one computation of the penalty to the next.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Mescheder et al., 2018, equation 9, https://arxiv.org/abs/1801.04406

    Example:
        >>> discriminator = lambda x: 2 * x.sum((1, 2, 3))[:, None]
        >>> images = jnp.zeros((5, 2, 2, 1))
        >>> float(R1(weight=10.0)(discriminator, images, images, jax.random.key(0)))
        80.0
    """

    weight: fields.Number = fields.Number(at_least=0, default=10.0)

    def __call__(self, discriminator: Discriminator, real: Array, fake: Array, key: Array) -> Array:
        return self.weight / 2 * _mean_squared_norm(discriminator, real)


@dataclass(frozen=True)
class R2(LazyRegularizer):
    """The penalty `weight / 2 * mean(|gradient|**2)` on generated images.

    Otherwise as `R1`.

    Args:
        weight: Factor of the penalty, gamma in the paper.
        every: Number of steps from one computation of the penalty to the next.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Mescheder et al., 2018, https://arxiv.org/abs/1801.04406

    Example:
        >>> discriminator = lambda x: 2 * x.sum((1, 2, 3))[:, None]
        >>> images = jnp.zeros((5, 2, 2, 1))
        >>> float(R2(weight=10.0)(discriminator, images, images, jax.random.key(0)))
        80.0
    """

    weight: fields.Number = fields.Number(at_least=0, default=10.0)

    def __call__(self, discriminator: Discriminator, real: Array, fake: Array, key: Array) -> Array:
        return self.weight / 2 * _mean_squared_norm(discriminator, fake)


@dataclass(frozen=True)
class GradientPenalty(LazyRegularizer):
    """The penalty `weight * mean((|gradient| - 1)**2)` between real and generated images.

    The gradient is computed at random points between pairs of a real and a generated image, with a
    uniform random number for each pair.

    Args:
        weight: Factor of the penalty, lambda in the paper.
        every: Number of steps from one computation of the penalty to the next.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028

    Example:
        >>> discriminator = lambda x: 2 * x.sum((1, 2, 3))[:, None]
        >>> images = jnp.zeros((5, 2, 2, 1))
        >>> float(GradientPenalty()(discriminator, images, images, jax.random.key(0)))
        90.0
    """

    weight: fields.Number = fields.Number(at_least=0, default=10.0)

    def __call__(self, discriminator: Discriminator, real: Array, fake: Array, key: Array) -> Array:
        position = jax.random.uniform(key, (real.shape[0], 1, 1, 1), real.dtype)
        gradient = _image_gradient(discriminator, real + position * (fake - real))
        # The derivative of the norm is NaN at 0, where that of safe_norm is 0.
        norms = optax.safe_norm(gradient.reshape(gradient.shape[0], -1), 0.0, axis=-1)
        return self.weight * jnp.mean(jnp.square(norms - 1))


BY_NAME: dict[str, type[LazyRegularizer]] = {
    "gradient_penalty": GradientPenalty,
    "r1": R1,
    "r2": R2,
}


def named(owner: str, argument: str, value: Any) -> dict[str, Regularizer]:
    """Checks regularizers and returns them by the names of their metrics.

    The name of a regularizer that is not in `BY_NAME` is that of its class or function. If a name
    occurs again, `_1`, `_2` and so on are appended.

    Args:
        owner: Name of the caller, for the error message.
        argument: Name of the argument.
        value: A list or tuple of names in `BY_NAME`, of regularizers, and of functions of a
            discriminator, real images, generated images and a key.

    Raises:
        TypeError: If it is not a list or tuple, or an element is neither a name nor a function.
        ValueError: If a name is unknown, or a function takes other arguments.
    """
    allowed = (
        f"{owner}: {argument} must be a list of {', '.join(map(repr, BY_NAME))}, regularizers such "
        "as R1(10.0), or functions of (discriminator, real, fake, key)"
    )
    if not isinstance(value, list | tuple):
        raise TypeError(f"{allowed}, got {value!r} ({type(value).__name__})")
    regularizers: dict[str, Regularizer] = {}
    names: dict[type, str] = {known: name for name, known in BY_NAME.items()}
    for element in value:
        got = f"got the element {element!r} ({type(element).__name__})"
        if isinstance(element, str) and element not in BY_NAME:
            raise ValueError(f"{allowed}, {got}")
        regularizer = BY_NAME[element]() if isinstance(element, str) else element
        if not callable(regularizer) or isinstance(regularizer, type):
            raise TypeError(f"{allowed}, {got}")
        try:
            fields.Function("discriminator", "real", "fake", "key").convert(regularizer)
        except TypeError:
            raise ValueError(f"{allowed}, {got}") from None
        name = getattr(regularizer, "__name__", type(regularizer).__name__).strip("<>")
        name = names.get(type(regularizer), name)
        numbered = (f"{name}_{number}" if number else name for number in itertools.count())
        regularizers[next(each for each in numbered if each not in regularizers)] = regularizer
    return regularizers


def penalties(
    regularizers: Mapping[str, Regularizer],
    discriminator: Callable[[Any, Array, Array], Array],
    real: Array,
    fake: Array,
    key: Array,
) -> dict[str, Callable[[Any], Array]]:
    """Returns the penalty of each regularizer as a function of the params of the discriminator.

    Args:
        regularizers: The regularizers by name.
        discriminator: A function of params, images and a key that returns logits, [batch, 1].
        real: Real images, [batch, height, width, channels].
        fake: Generated images of the same shape.
        key: A JAX random key.

    Raises:
        ValueError: When a penalty is called, if it is not a scalar.
    """

    def penalty_of(name: str, key: Array, params: Any) -> Array:
        key, layers_key = jax.random.split(key)
        penalty = regularizers[name](
            lambda images: discriminator(params, images, layers_key), real, fake, key
        )
        return _checks.scalar("GAN", f"regularizers: {name}", penalty)

    keys = jax.random.split(key, max(len(regularizers), 1))
    return {
        name: partial(penalty_of, name, key) for name, key in zip(regularizers, keys, strict=False)
    }


def value_and_gradient(
    regularizer: Regularizer,
    penalty: Callable[[Any], Array],
    params: Any,
    step: Array,
    latest: Array,
) -> tuple[Array, Any, Array]:
    """Returns what a regularizer adds to the loss in one step, its gradient, and its metric.

    Args:
        regularizer: The regularizer.
        penalty: Its penalty as a function of the params of the discriminator.
        params: The params.
        step: The number of previous steps.
        latest: The penalty of the last step in which it was computed.

    Returns:
        The penalty times `every`, its gradient with respect to the params, and the penalty; in a
        step in which it is not computed, 0, zeros and `latest`.
    """
    every = _every(regularizer)

    def compute(params: Any) -> tuple[Array, Any, Array]:
        value, gradient = jax.value_and_grad(penalty)(params)
        gradient = jax.tree.map(lambda array: every * array, gradient)
        return every * value, gradient, value.astype(latest.dtype)

    def omit(params: Any) -> tuple[Array, Any, Array]:
        value, gradient, _ = jax.tree.map(jnp.zeros_like, jax.eval_shape(compute, params))
        return value, gradient, latest

    # The gradient is computed inside the branch. That of a cond would store the intermediate
    # results of the penalty in every step, as zeros if the penalty is not computed.
    return compute(params) if every == 1 else lax.cond(step % every == 0, compute, omit, params)


def scheduled(
    regularizer: Regularizer, penalty: Callable[[Any], Array], step: Array
) -> Callable[[Any], Array]:
    """Returns what a regularizer adds to the loss in one step, as a function of the params.

    Args:
        regularizer: The regularizer.
        penalty: Its penalty as a function of the params of the discriminator.
        step: The number of previous steps.
    """
    every = _every(regularizer)
    return lambda params: lax.cond(
        step % every == 0,
        lambda params: every * penalty(params),
        lambda params: jnp.zeros_like(jax.eval_shape(penalty, params)),
        params,
    )


def _every(regularizer: Regularizer) -> int:
    return int(regularizer.every) if isinstance(regularizer, LazyRegularizer) else 1


def _image_gradient(discriminator: Discriminator, images: Array) -> Array:
    """Returns the gradients of the logits with respect to their images, of the same shape."""
    gradient: Array = jax.grad(lambda images: jnp.sum(discriminator(images)))(images)
    return gradient


def _mean_squared_norm(discriminator: Discriminator, images: Array) -> Array:
    """Returns the mean over the batch of the squared norm of the gradient."""
    return jnp.sum(jnp.square(_image_gradient(discriminator, images))) / images.shape[0]
