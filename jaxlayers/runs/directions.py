"""The principal directions of a generator: those in which its images change most."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Directions(NamedTuple):
    """Orthogonal directions in the space of latent vectors, in decreasing order of change."""

    vectors: Array  # [latent_size, latent_size], one direction of length 1 per row
    changes: Array  # [latent_size], root mean square change of a value of an image per unit


def principal_directions(
    generate: Callable[..., Array], latents: Array, *others: Array
) -> Directions:
    """Returns the directions in which the images of a generator change most on average.

    A small change v of a latent vector changes the image by J v, where J is the Jacobian matrix of
    the generator. The directions are the eigenvectors of the mean of J^T J over the given latent
    vectors, the mean metric of Wang and Ponce for the Euclidean distance of images. Unlike
    principal components of the activations of a layer (GANSpace) and the singular vectors of the
    first kernel (SeFa), they do not depend on which layers the generator consists of. For a
    generator of a single linear layer, all three are the same.

    Args:
        generate: A function from latent vectors, [batch, latent_size], to images, [batch, ...].
        latents: The latent vectors to compute the mean for, [vectors, latent_size]. The metric is
            similar everywhere, so that 16 vectors are enough. Each takes as long as a batch of
            `latent_size` images.
        *others: Other inputs of `generate`, such as labels, with the same first axis.

    Returns:
        The directions. The largest component of each vector is positive.

    Raises:
        ValueError: If `latents` is not of this shape, or has no vectors.

    Reference:
        Wang and Ponce, 2021, https://arxiv.org/abs/2101.06006; GANSpace: Härkönen et al., 2020,
        https://arxiv.org/abs/2004.02546; SeFa: Shen and Zhou, 2021, https://arxiv.org/abs/2007.06600

    Example:
        >>> generate = lambda latents: latents * jnp.array([1.0, 3.0, 2.0])
        >>> principal_directions(generate, jnp.zeros((1, 3))).vectors.round(4).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    latents = jnp.asarray(latents)
    if latents.ndim != 2 or not latents.size:
        raise ValueError(
            "principal_directions: latents must be of shape [vectors, latent_size] with at least "
            f"one vector, got shape {latents.shape}"
        )
    eigenvalues, eigenvectors = jnp.linalg.eigh(_mean_metric(generate, latents, *others))
    vectors = eigenvectors.T[::-1]
    largest = jnp.take_along_axis(vectors, jnp.abs(vectors).argmax(1, keepdims=True), axis=1)
    # Rounding errors of zero may be negative.
    return Directions(vectors * jnp.sign(largest), jnp.sqrt(jnp.maximum(eigenvalues[::-1], 0)))


def _mean_metric(generate: Callable[..., Array], latents: Array, *others: Array) -> Array:
    """Returns the mean of J^T J over the latent vectors, divided by the size of an image."""

    def metric(inputs: tuple[Array, ...]) -> Array:
        latent, *rest = inputs

        def image(latent: Array) -> Array:
            return generate(latent[None], *(value[None] for value in rest))[0].reshape(-1)

        jacobian = jax.jacfwd(image)(latent)
        product: Array = jnp.matmul(jacobian.T, jacobian, precision="highest") / len(jacobian)
        return product

    # One latent vector at a time, to limit memory use.
    metrics: Array = jax.lax.map(metric, (latents, *map(jnp.asarray, others)))
    return metrics.mean(0)
