"""Layers by which models depend on a class label."""

from jaxlayers import layers
from jaxlayers._symbolic import SymbolicTensor


def labeled_latent(latent: SymbolicTensor, label: SymbolicTensor, classes: int) -> SymbolicTensor:
    """Returns the product of a latent vector and an embedding of the label.

    The embeddings are initialized to 1, which leaves the latent vector unchanged.

    Args:
        latent: [batch, latent_size].
        label: [batch], the class of each example.
        classes: Number of classes.

    Reference:
        Odena et al., 2017, https://arxiv.org/abs/1610.09585; https://keras.io/examples/generative
    """
    embedding = layers.Embedding(classes, _size(latent), embeddings_initializer="ones")
    product: SymbolicTensor = layers.Multiply()(
        [latent, embedding(label, name="label_embedding")], name="labeled_latent"
    )
    return product


def conditional_batch_normalization(
    x: SymbolicTensor, label: SymbolicTensor, classes: int, name: str, momentum: float = 0.9
) -> SymbolicTensor:
    """Returns the output of a batch normalization whose scale and offset depend on the label.

    Args:
        x: [batch, ..., channels].
        label: [batch], the class of each example.
        classes: Number of classes.
        name: Name of the batch normalization, with which the names of the other layers begin.
        momentum: Momentum of the moving statistics.

    Reference:
        Dumoulin et al., 2017, https://arxiv.org/abs/1610.07629; Miyato and Koyama, 2018,
        https://arxiv.org/abs/1802.05637, for its use in generators.
    """
    channels = _size(x)
    normalization = layers.BatchNormalization(momentum=momentum, center=False, scale=False)

    def by_class(weight: str, initializer: str) -> SymbolicTensor:
        embedding = layers.Embedding(classes, channels, embeddings_initializer=initializer)
        reshape = layers.Reshape((*[1] * (len(x.shape) - 2), channels))
        embedded = embedding(label, name=f"{name}_{weight}")
        reshaped: SymbolicTensor = reshape(embedded, name=f"{name}_{weight}_reshape")
        return reshaped

    scaled = layers.Multiply()(
        [normalization(x, name=name), by_class("gamma", "ones")], name=f"{name}_scaled"
    )
    shifted: SymbolicTensor = layers.Add()(
        [scaled, by_class("beta", "zeros")], name=f"{name}_shifted"
    )
    return shifted


def projection_logit(
    features: SymbolicTensor, label: SymbolicTensor, classes: int
) -> SymbolicTensor:
    """Returns a logit of the features plus the inner product of the features and an embedding.

    Args:
        features: [batch, features], the features of an image.
        label: [batch], the class of each example.
        classes: Number of classes.

    Returns:
        [batch, 1].

    Reference:
        Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637
    """
    # Initialized like the kernel of a Dense layer with one output per class.
    embedding = layers.Embedding(classes, _size(features), embeddings_initializer="glorot_uniform")
    projection = layers.Dot(axes=1)(
        [features, embedding(label, name="label_embedding")], name="projection"
    )
    logit: SymbolicTensor = layers.Add()([layers.Dense(1)(features), projection], name="logit")
    return logit


def _size(x: SymbolicTensor) -> int:
    """Returns the extent of the last axis."""
    size = x.shape[-1]
    if size is None:
        raise ValueError(f"the last axis must have a size, got the shape {x.shape}")
    return size
