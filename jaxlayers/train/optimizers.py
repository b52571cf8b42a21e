"""Optimizers with Keras's arguments, based on Optax."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer


def inverse_time_decay(learning_rate: float, decay: float) -> optax.Schedule:
    """Returns the schedule `learning_rate / (1 + decay * step)`, like Keras's argument `decay`.

    Args:
        learning_rate: Learning rate of step 0.
        decay: Decay rate, not negative; 0 for a constant learning rate.

    Returns:
        A function from the step to the learning rate.

    Raises:
        ValueError: If a number is out of range.

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
        learning_rate: Initial learning rate.
        rho: Decay of the moving average of squared gradients, from 0 to 1.
        epsilon: Constant added to the moving average, inside the square root.
        decay: Decay of the learning rate: at step t it is `learning_rate / (1 + decay * t)`.

    Raises:
        ValueError: If a number is negative, or `rho` is above 1.

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
    """Returns an optimizer whose updates satisfy the constraints of a model.

    Tasks apply constraints automatically, like optimizers in Keras. Use this function for training
    loops without a task.

    Args:
        optimizer: Any Optax optimizer; `update` requires the params.
        model: The layer whose `constrain` projects the params.

    Raises:
        TypeError: If `optimizer` is not an Optax optimizer.
        ValueError: If `model` is not a layer, or `update` is called without params.

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

        def to_update(old: Any, new: Any, unconstrained: Any, update: Any) -> Any:
            # new - old is rounded; unconstrained updates are returned unchanged.
            return update if new is unconstrained else new - old

        return jax.tree.map(to_update, params, projected, updated, updates), opt_state

    extended = _update_function(optimizer)
    return optax.GradientTransformationExtraArgs(optimizer.init, update)


def frozen(
    optimizer: optax.GradientTransformation | optax.MultiSteps, trainable: Any
) -> optax.GradientTransformationExtraArgs:
    """Returns an optimizer that updates only some of the params.

    It has no state for the others, which saves memory.

    Args:
        optimizer: Any Optax optimizer.
        trainable: The mask of the params that are updated, as `jaxlayers.trainable` returns it: a
            tree like the params, or a part of it from the top, with `True` and `False`; or a
            function from the params to it.

    Raises:
        TypeError: If `optimizer` is not an Optax optimizer.
        ValueError: If the mask has other values than `True` and `False`.

    Example:
        >>> params = {"dense": {"kernel": jnp.ones(2)}, "dense_1": {"kernel": jnp.ones(2)}}
        >>> optimizer = frozen(optax.sgd(1.0), {"dense": False, "dense_1": True})
        >>> updates, _ = optimizer.update(params, optimizer.init(params))
        >>> updates["dense"]["kernel"].tolist(), updates["dense_1"]["kernel"].tolist()
        ([0.0, 0.0], [-1.0, -1.0])
    """
    check_optimizer("frozen", "optimizer", optimizer)
    for value in () if callable(trainable) else jax.tree.leaves(trainable):
        if not isinstance(value, bool | np.bool_):
            raise ValueError(
                f"frozen: trainable must have the values True and False, got {value!r}; "
                "jaxlayers.trainable(model, params) returns such a mask"
            )
    updated = optax.GradientTransformationExtraArgs(optimizer.init, _update_function(optimizer))
    return optax.partition({True: updated, False: optax.set_to_zero()}, trainable)


def check_optimizer(owner: str, name: str, value: Any) -> None:
    """Checks that an argument is an Optax optimizer.

    Args:
        owner: Name of the caller, for the error message.
        name: Name of the argument.
        value: The argument, which must have `init` and `update`.

    Raises:
        TypeError: If it is anything else, such as `"adam"`, `1e-3`, or the function `optax.adam`.
    """
    has_methods = all(callable(getattr(value, method, None)) for method in ("init", "update"))
    if has_methods and not isinstance(value, type):
        return
    got = f"{value!r} ({type(value).__name__})"
    if callable(value):
        called = getattr(value, "__name__", repr(value))
        got = f"{called} itself; call it with its arguments"
    raise TypeError(
        f"{owner}: {name} must be an Optax optimizer, such as optax.adam(1e-3), got {got}"
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
    """Returns the params of a model and the state of the optimizer after one update.

    The constraints of the model are applied to the params.

    Args:
        model: The layer whose `constrain` projects the params.
        optimizer: Any Optax optimizer. If it accepts them, it is passed `value`, `grad` and
            `value_fn`; also `obj_fn` and `grad_fn`, the objective and its gradient for Sophia.
        params: The params before the update.
        opt_state: The state of the optimizer before the update.
        gradient: The gradient of `value` with respect to `params`.
        value: The objective, a scalar.
        value_fn: `value` as a function of params.
    """

    def objective(params: Any, obj_fn: Any = None, grad_fn: Any = None) -> Array:
        # A line search requires that value_fn accepts the extra arguments of `update`.
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
    """Checks that an argument is a number or, for `optax.inject_hyperparams`, an array."""
    if isinstance(value, jax.Array):
        return value
    return fields.Number(at_least=0, at_most=at_most).check(owner, name, value)


def _update_function(optimizer: Any) -> Callable[..., Any]:
    """Returns the `update` of an optimizer, without arguments that it does not accept."""
    # MultiSteps forwards extra arguments, but does not declare that it accepts them.
    is_multi_steps = isinstance(optimizer, optax.MultiSteps)
    extended = optimizer if is_multi_steps else optax.with_extra_args_support(optimizer)
    function: Callable[..., Any] = extended.update
    parameters = inspect.signature(function).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return function

    def update(gradient: Any, opt_state: Any, params: Any, **extra: Any) -> Any:
        known = {name: value for name, value in extra.items() if name in parameters}
        return function(gradient, opt_state, params, **known)

    return update


def learning_rates(opt_state: Any, prefix: str = "") -> dict[str, Array]:
    """Returns the learning rate in the state of an optimizer by name; `{}` if there is none.

    The state of `optax.inject_hyperparams` has one. If there are several, the first is returned.

    Args:
        opt_state: State of any optimizer.
        prefix: Prefix of the name.
    """
    found = optax.tree_utils.tree_get_all_with_path(opt_state, "hyperparams")
    rates = [hyper["learning_rate"] for _, hyper in found if "learning_rate" in hyper]
    return {f"{prefix}learning_rate": jnp.asarray(rates[0])} if rates else {}
