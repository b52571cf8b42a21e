"""Freezing of layers in a model, and the mask of its trainable weights."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import jax

from jaxlayers._text import short_repr
from jaxlayers.composition import Composition
from jaxlayers.input_layer import InputLayer
from jaxlayers.layer import Layer, Params
from jaxlayers.layers.frozen import Frozen
from jaxlayers.layers.wrapper import Wrapper, unwrapped


def freeze(model: Layer, names: Iterable[str] | None = None) -> Layer:
    """Returns the model with layers in `Frozen`, whose weights are not trained.

    The params and the state remain the same. To also exclude the weights from the optimizer, use
    `train.frozen` with the mask that `trainable` returns.

    Args:
        model: A `Sequential` or `Functional`, also in a wrapper such as `InBfloat16`.
        names: Names of layers of the model; those in nested models are paths such as
            `"encoder/conv2d"`. `None` for all layers.

    Raises:
        ValueError: If the model has no layer of one of the names, or `names` is a string.
        TypeError: If `model` is not a `Sequential` or `Functional`.

    Example:
        >>> from jaxlayers import Sequential, layers
        >>> model = Sequential([layers.Dense(3), layers.Dense(2)], input_shape=(4,))
        >>> model = freeze(model, ["dense"])
        >>> model
        Sequential([Frozen(layer=Dense(units=3)), Dense(units=2)], input_shape=(4,))
        >>> params, state = model.init(jax.random.key(0))
        >>> trainable(model, params)["dense"]
        {'bias': False, 'kernel': False}
    """
    return _apply_to("freeze", model, names, _frozen)


def unfreeze(model: Layer, names: Iterable[str] | None = None) -> Layer:
    """Returns the model with layers, and all layers inside them, without `Frozen`.

    Args:
        model: A `Sequential` or `Functional`, also in a wrapper such as `InBfloat16`.
        names: As in `freeze`.

    Raises:
        ValueError: As in `freeze`.
        TypeError: As in `freeze`.

    Example:
        >>> from jaxlayers import Sequential, layers
        >>> model = Sequential([layers.Dense(3), layers.Dense(2)], input_shape=(4,))
        >>> unfreeze(freeze(model)) == model
        True
    """
    return _apply_to("unfreeze", model, names, _without_frozen)


def trainable(model: Layer, params: Params) -> Any:
    """Returns the mask of the trainable weights: `False` for those of layers in `Frozen`.

    Args:
        model: Any layer, such as a `Sequential`.
        params: The params of the model.

    Returns:
        A tree like `params` with `True` and `False`, for `train.frozen` or `optax.masked`.

    Raises:
        TypeError: If `model` is not a layer, or `params` is not a dictionary.
    """
    if not isinstance(model, Layer):
        raise TypeError(
            f"trainable: model must be a jaxlayers.Layer, got {model!r} ({type(model).__name__})"
        )
    if not isinstance(params, dict):
        raise TypeError(
            f"trainable: params must be a dictionary, as returned by init, got {params!r} "
            f"({type(params).__name__})"
        )
    while isinstance(model, Wrapper) and not isinstance(model, Frozen):
        model = model.layer
    if not isinstance(model, Composition):
        return jax.tree.map(lambda array: not isinstance(model, Frozen), params)
    layers = dict(model.items())
    return {
        name: trainable(layers[name], own) if name in layers else jax.tree.map(lambda _: True, own)
        for name, own in params.items()
    }


def _frozen(layer: Layer) -> Layer:
    return layer if isinstance(layer, Frozen | InputLayer) else Frozen(layer)


def _without_frozen(layer: Layer) -> Layer:
    while isinstance(layer, Frozen):
        layer = layer.layer
    return layer.map_layers(lambda name, inner: _without_frozen(inner))


def _apply_to(
    owner: str, model: Layer, names: Iterable[str] | None, change: Callable[[Layer], Layer]
) -> Layer:
    """Returns the model with the layers of some names changed."""
    inside = unwrapped(model)
    if not isinstance(inside, Composition):
        raise TypeError(
            f"{owner}: model must be a Sequential or a Functional, got {model!r} "
            f"({type(model).__name__})"
        )
    if isinstance(names, str):
        raise ValueError(f"{owner}: names must be a list of names, got the string {names!r}")
    wanted = None if names is None else Counter(names)
    found: set[str] = set()

    def changed(layer: Layer, path: str) -> Layer:
        if path and (wanted is None or path in wanted):
            found.add(path)
            return change(layer)
        if isinstance(layer, Wrapper):
            return layer.map_layers(lambda _, inner: changed(inner, path))
        if not isinstance(layer, Composition):
            return layer
        return layer.map_layers(
            lambda name, inner: changed(inner, f"{path}/{name}" if path else str(name))
        )

    result = changed(model, "")
    missing = [] if wanted is None else sorted(wanted.keys() - found)
    if missing:
        paths = [*_paths(inside)]
        near = [path for path in paths if path.endswith(f"/{missing[0]}")]
        near = near or difflib.get_close_matches(missing[0], paths, n=3)
        hint = f"; did you mean {' or '.join(map(repr, near[:3]))}?" if near else ""
        raise ValueError(
            f"{owner}: names must be names of layers of {inside.name!r}, "
            f"{short_repr(paths)}, got {missing[0]!r}{hint}"
        )
    return result


def _paths(model: Composition, above: str = "") -> Iterable[str]:
    for name, layer in model.items():
        yield above + name
        inside = unwrapped(layer)
        if isinstance(inside, Composition):
            yield from _paths(inside, f"{above}{name}/")
