"""Transfer learning: a classifier on the features of a trained model.

Reference:
    https://keras.io/guides/transfer_learning/
"""

from collections.abc import Sequence

from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import layers
from jaxlayers._any_size import has_any_size
from jaxlayers.functional import Functional
from jaxlayers.graph.nodes import Output
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.wrapper import unwrapped
from jaxlayers.models import arguments
from jaxlayers.sequential import Sequential

_HEAD = "predictions"


def classifier(
    model: Layer,
    params: Params,
    state: State,
    *,
    input_shape: Sequence[int],
    classes: int,
    key: Array,
    pixel_range: tuple[float, float] = (0.0, 1.0),
    freeze: bool = False,
    new_head: bool = False,
) -> tuple[Sequential, Params, State]:
    """Returns a classifier that starts from the layers and the weights of a trained model.

    The output layer of the trained model is replaced by a new one if it has another number of
    classes. If the model returns feature maps, they are averaged over the image first, as in the
    guide of Keras.

    Args:
        model: A `Sequential` or `Functional`, such as one that `interop.keras.load` returns, whose
            output layer is a `Dense`, or which returns features.
        params: The params of the model.
        state: The state of the model.
        input_shape: (height, width, channels) of the images.
        classes: Number of classes.
        key: A JAX random key for the new output layer.
        pixel_range: The pixel values for black and white in the images that the model was trained
            on. The classifier takes values from 0 to 1 and converts them.
        freeze: Whether only the output layer is trained; the others are in `layers.Frozen`.
        new_head: Whether to replace the output layer also if it has the same number of classes, for
            example because they are other classes.

    Returns:
        The classifier, which ends in a softmax, its params and its state. Its layers are the
        conversion of the pixel values (unless they remain the same), the layers of the trained
        model under the name of the model, and `predictions`.

    Raises:
        TypeError: If `model` is not a `Sequential` or `Functional`.
        ValueError: If an argument is out of range, the model does not accept the images, or it does
            not end in a `Dense` or in features.

    Example:
        >>> from jaxlayers.models import mobilenet_v2
        >>> features = mobilenet_v2.mobilenet_v2((64, 64, 3), include_top=False, alpha=0.35)
        >>> params, state = features.init(jax.random.key(0))
        >>> model, params, state = classifier(
        ...     *(features, params, state),
        ...     input_shape=(64, 64, 3),
        ...     classes=5,
        ...     key=jax.random.key(1),
        ...     pixel_range=(-1.0, 1.0),
        ...     freeze=True,
        ... )
        >>> model.names
        ('rescaling', 'mobilenetv2_0.35_64', 'global_average_pooling2d', 'predictions')
    """
    owner = "classifier"
    shape = arguments.image_shape(owner, input_shape, "input_shape")
    classes = arguments.classes(owner, classes, "softmax")
    freeze = fields.Boolean().check(owner, "freeze", freeze)
    inside = unwrapped(model)
    if not isinstance(inside, Sequential | Functional):
        raise TypeError(
            f"{owner}: model must be a Sequential or a Functional, got {model!r} "
            f"({type(model).__name__})"
        )
    base, head = _split(inside)
    constructed = base.input_shape
    if constructed not in (None, shape) and not has_any_size(constructed):
        raise ValueError(
            f"{owner}: input_shape must be {constructed}, for which the model {inside.name!r} was "
            f"constructed, got {shape}; resize the images"
        )
    black, white = (fields.Number().check(owner, "pixel_range", value) for value in pixel_range)
    features = base.output_shape(shape)
    if len(features) not in (1, 3):
        raise ValueError(
            f"{owner}: model must return features, [height, width, channels] or [channels] per "
            f"image, got the shape {features}"
        )
    pooling = layers.GlobalAveragePooling2D(data_format="channels_last")
    members = {
        "rescaling": layers.Rescaling(white - black, black) if (black, white) != (0, 1) else None,
        base.name: layers.Frozen(base) if freeze else base,
        "global_average_pooling2d": pooling if len(features) == 3 else None,
        _HEAD: layers.Dense(classes, activation="softmax"),
    }
    used = {name: layer for name, layer in members.items() if layer is not None}
    result = Sequential(
        list(used.values()), shape, names=tuple(used), name=f"{inside.name}_classifier"
    )
    new_head = fields.Boolean().check(owner, "new_head", new_head)
    if not new_head and head is not None and params[head]["kernel"].shape[-1] == classes:
        output = params[head]
    else:
        output, _ = result[_HEAD].init(key, features[-1:])
    own, own_state = (
        {name: tree[name] for name, _ in base.items() if name in tree} for tree in (params, state)
    )
    return result, {base.name: own, _HEAD: output}, {base.name: own_state} if own_state else {}


def _split(model: Sequential | Functional) -> tuple[Sequential | Functional, str | None]:
    """Returns the model before its output layer, and the name of this `Dense`.

    If the model does not end in a `Dense`, these are the whole model and `None`.
    """
    if isinstance(model, Sequential):
        names = [name for name, _ in model.items()]
        at = len(names) - 1
        while at > 0 and _is_activation(model[at]):
            at -= 1
        is_dense = at > 0 and isinstance(unwrapped(model[at]), layers.Dense)
        return (model[:at], names[at]) if is_dense else (model, None)
    nodes = {node.name: node for node in model.nodes or ()}
    output = model.outputs
    while isinstance(output, Output) and _is_activation(nodes[output.layer].layer):
        output = nodes[output.layer].calls[output.call]
    if isinstance(output, Output) and isinstance(
        unwrapped(nodes[output.layer].layer), layers.Dense
    ):
        source = nodes[output.layer].calls[output.call]
        return model.submodel(source.layer, source.call), output.layer
    return model, None


def _is_activation(layer: Layer) -> bool:
    return isinstance(unwrapped(layer), layers.Activation | layers.Softmax)
