"""Optimizers with Keras's meaning of their arguments, on top of Optax."""

from typing import Any

import jax
import optax

from jaxlayers.layer import Layer


def inverse_time_decay(learning_rate: float, decay: float) -> optax.Schedule:
    """Returns the schedule `learning_rate / (1 + decay * step)`, Keras's meaning of decay.

    Args:
        learning_rate: of the first step, which has the number 0.
        decay: not negative; 0 for a constant rate.

    Example:
        >>> inverse_time_decay(0.1, decay=1.0)(1)
        0.05
    """
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

    Reference:
        Hinton, 2012, Neural Networks for Machine Learning, lecture 6e

    Example:
        >>> optimizer = rmsprop(2e-4, decay=6e-8)
        >>> opt_state = optimizer.init({"kernel": jnp.zeros(3)})
    """
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
        ValueError: `update` without params.

    Example:
        >>> from jaxlayers import layers
        >>> optimizer = constrained(optax.sgd(0.1), layers.Dense(2, kernel_constraint="non_neg"))
    """

    def update(gradient: Any, opt_state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError("constrained: update(gradient, opt_state, params) needs the params")
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
