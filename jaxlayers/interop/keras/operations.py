"""Operations on tensors in the graphs of Keras models, as layers.

In Keras, `x + y` or `keras.ops.relu(x)` in a Functional model is not a layer, but a node of the
graph with the class of the operation. The layers here that compute the same replace them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxlayers import activations
from jaxlayers.composition import snake_case
from jaxlayers.interop.keras.layer_config import keras_classes
from jaxlayers.interop.keras.values import is_number

Entry = Mapping[str, Any]
Arguments = tuple[list[Any], Mapping[str, Any]]

_MODULES = ("keras.src.ops.", "keras.ops")

# Operations on two tensors, and the layers that compute them.
_MERGING = ("Add", "Maximum", "Minimum", "Multiply", "Subtract")

# Operations on a tensor and a number: the scale and the offset that compute `operation(x, number)`
# and `operation(number, x)`.
_Scaling = Callable[[float], tuple[float, float]]
_SCALING: dict[str, tuple[_Scaling, _Scaling | None]] = {
    "Add": (lambda n: (1.0, n), lambda n: (1.0, n)),
    "Divide": (lambda n: (1 / n, 0.0), None),
    "Multiply": (lambda n: (n, 0.0), lambda n: (n, 0.0)),
    "Subtract": (lambda n: (1.0, -n), lambda n: (-1.0, n)),
    "TrueDivide": (lambda n: (1 / n, 0.0), None),
}


def is_operation(entry: Entry, calls: Sequence[Arguments]) -> bool:
    """Returns whether an entry of a config describes one of Keras's operations."""
    module = entry.get("module")
    if module is not None:
        return str(module).startswith(_MODULES)
    # HDF5 files do not contain the modules; layers are called with one argument.
    name = entry["class_name"]
    is_activation = name not in keras_classes() and snake_case(name) in activations.BY_NAME
    return is_activation or any(len(positional) == 2 for positional, _ in calls)


def as_layer(entry: Entry, calls: Sequence[Arguments]) -> tuple[Entry, Sequence[Arguments]]:
    """Returns the entry of a layer that computes an operation, and the calls of this layer.

    Args:
        entry: An entry of a config; those of layers are returned as they are.
        calls: The positional and the other arguments of the calls.

    Raises:
        ValueError: If no layer computes the operation.
    """
    if not is_operation(entry, calls):
        return entry, calls
    name = entry["class_name"]
    config = entry.get("config")
    settings = {k: v for k, v in dict(config or {}).items() if k not in ("name", "dtype")}
    if len(calls) == 1 and not calls[0][1] and not settings:
        (values, _), *_ = calls
        tensors = [value for value in values if not is_number(value)]
        if name in _MERGING and len(values) == len(tensors) == 2:
            return _layer(entry, name, {}), [([tuple(tensors)], {})]
        if name in _SCALING and len(values) == 2 and len(tensors) == 1:
            scaling = _SCALING[name][is_number(values[0])]
            number = next(value for value in values if is_number(value))
            if scaling is not None and not ("Divide" in name and number == 0):
                scale, offset = scaling(float(number))
                arguments = {"scale": scale, "offset": offset}
                return _layer(entry, "Rescaling", arguments), [(tensors, {})]
        if len(values) == len(tensors) == 1 and snake_case(name) in activations.BY_NAME:
            return _layer(entry, "Activation", {"activation": snake_case(name)}), calls
    raise ValueError(
        f"{(config or {}).get('name')} ({name}): the operation is not supported; only "
        f"{', '.join(sorted({*_MERGING, *_SCALING}))} and activations without arguments are"
    )


def _layer(entry: Entry, class_name: str, arguments: Mapping[str, Any]) -> Entry:
    """Returns the entry with the config of a layer."""
    name = entry.get("name", dict(entry.get("config") or {}).get("name"))
    return {
        **entry,
        "module": "keras.layers",
        "class_name": class_name,
        "registered_name": None,
        "config": {"name": name, **arguments},
    }
