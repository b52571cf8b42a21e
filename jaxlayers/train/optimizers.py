"""Optimizers with Keras's meaning of their arguments, on top of Optax."""

from typing import Any, Protocol, runtime_checkable

import jax
import optax

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer


@runtime_checkable
class Optimizer(Protocol):
    """What Optax's optimizers have, `optax.GradientTransformation` and others."""

    init: Any
    update: Any


def optimizer_field() -> fields.Instance[Optimizer]:
    """Returns the field of an optimizer, which is required."""
    return fields.Instance(Optimizer, "an Optax optimizer, such as optax.adam(1e-3)")


def inverse_time_decay(learning_rate: float, decay: float) -> optax.Schedule:
    """Returns the schedule `learning_rate / (1 + decay * step)`, Keras's meaning of decay.

    Args:
        learning_rate: of the first step, which has the number 0.
        decay: not negative; 0 for a constant rate.

    Raises:
        ValueError: a number out of its range.

    Example:
        >>> inverse_time_decay(0.1, decay=1.0)(1)
        0.05
    """
    learning_rate = _number("inverse_time_decay", "learning_rate", learning_rate)
    decay = _number("inverse_time_decay", "decay", decay)
    return lambda step: learning_rate / (1 + decay * step)


def rmsprop(
    learning_rate: float = 1e-3, rho: float = 0.9, epsilon: float = 1e-7, decay: float = 0.0
) -> optax.GradientTransformation:
    """Returns RMSprop with Keras's arguments, defaults and arithmetic.

    Args:
        learning_rate: of the first step.
        rho: how much of the mean of squared gradients one step keeps.
        epsilon: added to that mean under the root.
        decay: the rate of step t is `learning_rate / (1 + decay * t)`.

    Raises:
        ValueError: a number that is negative, or rho above 1.

    Reference:
        Hinton, 2012, Neural Networks for Machine Learning, lecture 6e

    Example:
        >>> optimizer = rmsprop(2e-4, decay=6e-8)
        >>> opt_state = optimizer.init({"kernel": jnp.zeros(3)})
    """
    learning_rate = _number("rmsprop", "learning_rate", learning_rate)
    rho = _number("rmsprop", "rho", rho, at_most=1)
    epsilon = _number("rmsprop", "epsilon", epsilon)
    decay = _number("rmsprop", "decay", decay)
    return optax.rmsprop(inverse_time_decay(learning_rate, decay), decay=rho, eps=epsilon)


def constrained(
    optimizer: optax.GradientTransformation, model: Layer
) -> optax.GradientTransformation:
    """Returns an optimizer whose updates leave the params within the constraints of a model.

    Keras does so by itself; the tasks of this package do it for their models.

    Args:
        optimizer: any Optax optimizer; its `update` must be given the params.
        model: the layer whose `constrain` projects the params.

    Raises:
        ValueError: no optimizer, no layer, or `update` without params.

    Example:
        >>> from jaxlayers import layers
        >>> optimizer = constrained(optax.sgd(0.1), layers.Dense(2, kernel_constraint="non_neg"))
    """
    optimizer = optimizer_field().check("constrained", "optimizer", optimizer)
    fields.Instance(Layer, "a jaxlayers.Layer").check("constrained", "model", model)

    def update(gradient: Any, opt_state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(
                "constrained: params must be given to update(gradient, opt_state, params), got None"
            )
        updates, opt_state = extended.update(gradient, opt_state, params, **extra)
        updated = optax.apply_updates(params, updates)
        projected = model.constrain(updated)

        def to_update(old: Any, new: Any, free: Any, update: Any) -> Any:
            # new - old would round where nothing is constrained; there the update stays as it is.
            return update if new is free else new - old

        return jax.tree.map(to_update, params, projected, updated, updates), opt_state

    extended = optax.with_extra_args_support(optimizer)
    return optax.GradientTransformationExtraArgs(optimizer.init, update)


def update(
    model: Layer,
    optimizer: optax.GradientTransformation,
    params: Any,
    opt_state: Any,
    gradient: Any,
) -> tuple[Any, Any]:
    """Returns the params of a model after one step down a gradient, and the optimizer's state.

    The constraints of the model hold for them.
    """
    updates, opt_state = optimizer.update(gradient, opt_state, params)
    return model.constrain(optax.apply_updates(params, updates)), opt_state


def _number(owner: str, name: str, value: Any, at_most: float | None = None) -> Any:
    """Returns an argument that is a number; arrays, as of `optax.inject_hyperparams`, as well."""
    if isinstance(value, jax.Array):
        return value
    return fields.Number(at_least=0, at_most=at_most).check(owner, name, value)
