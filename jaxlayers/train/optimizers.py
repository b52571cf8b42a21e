"""Optimizers with Keras's meaning of their arguments, on top of Optax."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer


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
        TypeError: no optimizer.
        ValueError: no layer, or `update` without params.

    Example:
        >>> from jaxlayers import layers
        >>> optimizer = constrained(optax.sgd(0.1), layers.Dense(2, kernel_constraint="non_neg"))
    """
    check_optimizer("constrained", "optimizer", optimizer)
    fields.Instance(Layer, "a jaxlayers.Layer").check("constrained", "model", model)

    def update(gradient: Any, opt_state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(
                "constrained: params must be given to update(gradient, opt_state, params), got None"
            )
        updates, opt_state = extended(gradient, opt_state, params, **extra)
        updated = optax.apply_updates(params, updates)
        projected = model.constrain(updated)

        def to_update(old: Any, new: Any, free: Any, update: Any) -> Any:
            # new - old would round where nothing is constrained; there the update stays as it is.
            return update if new is free else new - old

        return jax.tree.map(to_update, params, projected, updated, updates), opt_state

    extended = _update_function(optimizer)
    return optax.GradientTransformationExtraArgs(optimizer.init, update)


def check_optimizer(owner: str, name: str, value: Any) -> None:
    """Refuses what is no optimizer of Optax.

    Args:
        owner: who asks, for the error.
        name: of the argument.
        value: what must have `init` and `update`.

    Raises:
        TypeError: anything else, such as `"adam"`, `1e-3`, or `optax.adam` that is not called.
    """
    has = all(callable(getattr(value, method, None)) for method in ("init", "update"))
    if has and not isinstance(value, type):
        return
    got = f"{value!r} ({type(value).__name__})"
    if callable(value):
        called = getattr(value, "__name__", repr(value))
        got = f"{called} itself, which must be called with its arguments"
    raise TypeError(
        f"{owner}: {name} must be an optimizer of Optax, such as optax.adam(1e-3), got {got}"
    )


def update(
    model: Layer,
    optimizer: optax.GradientTransformation | optax.MultiSteps,
    params: Any,
    opt_state: Any,
    gradient: Any,
    value: Array,
    value_fn: Callable[[Any], Array],
) -> tuple[Any, Any]:
    """Returns the params of a model after one step down a gradient, and the optimizer's state.

    The constraints of the model hold for them.

    Args:
        model: the layer whose `constrain` projects the params.
        optimizer: any Optax optimizer. Those that take more than the gradient get `value`,
            `grad` and `value_fn`, which Sophia calls `obj_fn`, and its gradient `grad_fn`.
        params: before the step.
        opt_state: before the step.
        gradient: of `value` with respect to `params`.
        value: what is made smaller, a scalar.
        value_fn: `value` as a function of params.
    """

    def objective(params: Any, obj_fn: Any = None, grad_fn: Any = None) -> Array:
        # A line search refuses arguments of `update` that its value_fn does not take.
        return value_fn(params)

    updates, opt_state = _update_function(optimizer)(
        gradient,
        opt_state,
        params,
        value=value,
        grad=gradient,
        value_fn=objective,
        obj_fn=objective,
        grad_fn=lambda params, step: jax.grad(objective)(params),
    )
    return model.constrain(optax.apply_updates(params, updates)), opt_state


def _number(owner: str, name: str, value: Any, at_most: float | None = None) -> Any:
    """Returns an argument that is a number; arrays, as of `optax.inject_hyperparams`, as well."""
    if isinstance(value, jax.Array):
        return value
    return fields.Number(at_least=0, at_most=at_most).check(owner, name, value)


def _update_function(optimizer: Any) -> Callable[..., Any]:
    """Returns the `update` of an optimizer, which ignores the arguments that it does not know."""
    # MultiSteps passes on what it is given, but is no transformation that takes it.
    whole = isinstance(optimizer, optax.MultiSteps)
    extended = optimizer if whole else optax.with_extra_args_support(optimizer)
    function: Callable[..., Any] = extended.update
    parameters = inspect.signature(function).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return function

    def update(gradient: Any, opt_state: Any, params: Any, **extra: Any) -> Any:
        known = {name: value for name, value in extra.items() if name in parameters}
        return function(gradient, opt_state, params, **known)

    return update


def learning_rates(opt_state: Any, prefix: str = "") -> dict[str, Array]:
    """Returns the learning rate that an optimizer's state holds, under its name; or nothing.

    States of `optax.inject_hyperparams` hold one. Where there are several, it is that of the
    first.

    Args:
        opt_state: of any optimizer.
        prefix: before the name.
    """
    found = optax.tree_utils.tree_get_all_with_path(opt_state, "hyperparams")
    rates = [hyper["learning_rate"] for _, hyper in found if "learning_rate" in hyper]
    return {f"{prefix}learning_rate": jnp.asarray(rates[0])} if rates else {}
