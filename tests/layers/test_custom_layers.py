"""User-defined layers."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxlayers import Functional, Input, Sequential
from jaxlayers.layer import Layer


@dataclasses.dataclass(frozen=True)
class Scale(Layer):
    """A user-defined layer with a plain dataclass field, whose init calls super().init."""

    factor: Any = "unchecked"

    def init(self, key: Any, input_shape: Any) -> Any:
        params, state = super().init(key, input_shape)
        return {**params, "scale": jnp.ones(input_shape[-1])}, state

    def apply(self, params: Any, state: Any, x: Any, *, training: Any = False, key: Any = None):
        return params["scale"] * x, state


class VectorScale(Scale):
    def output_shape(self, input_shape: Any) -> Any:
        if len(input_shape) != 1:
            raise ValueError(f"VectorScale: input_shape must have one axis, got {input_shape}")
        return super().output_shape(input_shape)


class FullScale(Scale):
    def init(self, key: Any, input_shape: Any) -> Any:
        return {"scale": jnp.ones(self.output_shape(input_shape))}, {}


@pytest.mark.parametrize("layer", [Scale(), VectorScale()])
def test_layers_can_call_the_methods_that_they_override(layer) -> None:
    assert layer.output_shape((3,)) == (3,)
    params, state = layer.init(jax.random.key(0), (3,))
    assert layer.apply(params, state, jnp.ones((2, 3)))[0].shape == (2, 3)


def test_the_init_of_layer_calls_an_overriding_output_shape() -> None:
    with pytest.raises(ValueError, match="must have one axis"):
        VectorScale().init(jax.random.key(0), (3, 4))


def test_a_layer_whose_init_depends_on_the_default_output_shape_is_refused() -> None:
    with pytest.raises(TypeError, match="FullScale: output_shape must be defined"):
        FullScale().init(jax.random.key(0), (3,))


def test_a_layer_that_is_not_a_dataclass_has_the_default_repr() -> None:
    class Plain(Layer):
        def __init__(self, factor: float) -> None:
            self.factor = factor

    plain = Plain(2.0)
    assert repr(plain) == object.__repr__(plain)


def test_apply_must_return_the_output_and_the_state() -> None:
    @dataclasses.dataclass(frozen=True)
    class OutputOnly(Layer):
        def apply(self, params, state, x, *, training=False, key=None):
            return x

        def output_shape(self, input_shape):
            return input_shape

    x = Input((3,))
    message = r"OutputOnly: apply must return a tuple \(output, state\), got "
    for model in (Sequential([OutputOnly()], (3,)), Functional(x, OutputOnly()(x))):
        with pytest.raises(TypeError, match=message):
            model.apply({}, {}, jnp.ones((2, 3)))
