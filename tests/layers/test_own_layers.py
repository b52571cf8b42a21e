"""Layers that users define."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxlayers.layer import Layer


@dataclasses.dataclass(frozen=True)
class Scale(Layer):
    """A layer of one's own, whose annotations nothing checks, and whose init calls super().init."""

    factor: Any = "unchecked"

    def init(self, key: Any, input_shape: Any) -> Any:
        params, state = super().init(key, input_shape)
        return {**params, "scale": jnp.ones(input_shape[-1])}, state

    def apply(self, params: Any, state: Any, x: Any, *, training: Any = False, key: Any = None):
        return params["scale"] * x, state


class OwnShape(Scale):
    def output_shape(self, input_shape: Any) -> Any:
        if len(input_shape) != 1:
            raise ValueError(f"OwnShape: input_shape must have one axis, got {input_shape}")
        return super().output_shape(input_shape)


class NeedsShape(Scale):
    def init(self, key: Any, input_shape: Any) -> Any:
        return {"scale": jnp.ones(self.output_shape(input_shape))}, {}


@pytest.mark.parametrize("layer", [Scale(), OwnShape()])
def test_a_layer_may_call_what_it_overrides(layer) -> None:
    assert layer.output_shape((3,)) == (3,)
    params, state = layer.init(jax.random.key(0), (3,))
    assert layer.apply(params, state, jnp.ones((2, 3)))[0].shape == (2, 3)


def test_the_init_of_layer_checks_the_shape_by_an_overriding_output_shape() -> None:
    with pytest.raises(ValueError, match="must have one axis"):
        OwnShape().init(jax.random.key(0), (3, 4))


def test_an_init_that_needs_the_shape_that_is_found_by_init_is_refused() -> None:
    with pytest.raises(TypeError, match="NeedsShape: output_shape must be defined"):
        NeedsShape().init(jax.random.key(0), (3,))


def test_a_layer_that_is_no_dataclass_has_the_repr_of_an_object() -> None:
    class Plain(Layer):
        def __init__(self, factor: float) -> None:
            self.factor = factor

    plain = Plain(2.0)
    assert repr(plain) == object.__repr__(plain)
