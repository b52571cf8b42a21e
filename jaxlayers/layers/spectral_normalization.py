"""Spectral normalization of the kernel of another layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import jax
import jax.numpy as jnp
from jax import Array

from jaxlayers import _fields as fields
from jaxlayers import initializers, ops
from jaxlayers.layer import FinalActivation, Layer, Params, Shape, State
from jaxlayers.layers import arguments, weights


@dataclass(frozen=True, repr=False)
class SpectralNormalization(Layer):
    """Divides the kernel of a layer by its largest singular value; Keras's `SpectralNormalization`.

    In training mode, the layer is applied with `kernel / sigma`, where the spectral norm `sigma` of
    the kernel, as a matrix [..., last axis], is estimated by power iteration. The iteration starts
    from the vector in the state, and the new vector is in the new state. A kernel of zeros is used
    as it is.

    In inference mode, the layer is applied with the kernel in `params`, as in Keras. A call in
    training mode overwrites the kernel in Keras, which a pure function cannot do. Call
    `normalized_weights` for the params to be used after training. (On JAX, Keras's `fit` discards
    the overwritten kernel as well.)

    Args:
        layer: A layer with a kernel, such as `Dense` or `Conv2D`, or an `Embedding`.
        power_iterations: Number of iterations per call in training mode.

    Params:
        Those of `layer`, not normalized. Penalties and constraints are those of `layer` for them.

    State:
        `vector_u`, [1, size of the last axis of the kernel], and the state of `layer`.

    Input shape:
        Same as for `layer`.

    Output shape:
        Same as for `layer`.

    Raises:
        ValueError: If `layer` is not a layer, or has neither a kernel nor embeddings.

    Reference:
        Miyato et al., 2018, https://arxiv.org/abs/1802.05957

    Example:
        >>> from jaxlayers import layers
        >>> dense = SpectralNormalization(layers.Dense(3, use_bias=False), power_iterations=30)
        >>> params, state = dense.init(jax.random.key(0), (4,))
        >>> params, state = dense.normalized_weights(params, state)
        >>> jnp.linalg.norm(params["kernel"], 2).round(3).item()
        1.0
    """

    layer: fields.Instance[Layer] = fields.Instance(Layer, "a jaxlayers.Layer")
    power_iterations: fields.PositiveInteger = fields.PositiveInteger(default=1)

    @property
    def input_shape(self) -> Sequence[int] | None:
        """The shape of one example that the layer was constructed with, or `None`."""
        return self.layer.input_shape

    def init(self, key: Array, input_shape: Sequence[int]) -> tuple[Params, State]:
        shape = arguments.example_shape(self, input_shape)
        fields.Key().check(self, "key", key)
        layer_key, vector_key = jax.random.split(key)
        params, state = self.layer.init(layer_key, shape)
        kernel = params[self._kernel_name(params)]
        if "vector_u" in state:
            raise ValueError(f"{self!r}: layer must not be spectrally normalized, got {self.layer}")
        # Keras's initializer, which the layer has no argument for.
        vector = initializers.TruncatedNormal(stddev=0.02)
        vector_shape = (1, kernel.shape[-1])
        return params, {**state, "vector_u": vector(vector_key, vector_shape, kernel.dtype)}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        *,
        training: bool = False,
        key: Array | None = None,
    ) -> tuple[Array, State]:
        arguments.shape_of_examples(self, x)
        self._check(params, state)
        vector = {"vector_u": state["vector_u"]}
        if arguments.is_training(self, training):
            params, normalized_state = self.normalized_weights(params, state)
            vector = {"vector_u": normalized_state["vector_u"]}
        y, layer_state = self.layer.apply(
            params, _without_vector(state), x, training=training, key=key
        )
        return y, {**layer_state, **vector}

    def normalized_weights(self, params: Params, state: State) -> tuple[Params, State]:
        """Returns the params and the state after a call of Keras's layer in training mode.

        Args:
            params: The params.
            state: The state.

        Returns:
            The params with the kernel divided by its spectral norm, and the state with the new
            vector.
        """
        self._check(params, state)
        name = self._kernel_name(params)
        kernel, vector = params[name], state["vector_u"]
        # At least float32, in which the state is, also for a kernel in bfloat16.
        wide = kernel.astype(jnp.result_type(kernel, jnp.float32))
        sigma, new_vector = ops.spectral_norm(
            jnp.reshape(wide, (-1, wide.shape[-1])), vector, self.power_iterations
        )
        is_zero = jnp.all(kernel == 0)
        normalized = (wide / jnp.where(is_zero, 1, sigma)).astype(kernel.dtype)
        new_vector = jnp.where(is_zero, vector, new_vector).astype(vector.dtype)
        return {**params, name: normalized}, {**state, "vector_u": new_vector}

    def output_shape(self, input_shape: Sequence[int]) -> Shape:
        return self.layer.output_shape(arguments.example_shape(self, input_shape))

    def penalty(self, params: Params, state: State) -> Array:
        return self.layer.penalty(params, _without_vector(state))

    def constrain(self, params: Params) -> Params:
        return self.layer.constrain(params)

    @property
    def output_values(self) -> Literal["computed", "mixed", "moved"]:
        return self.layer.output_values

    def final_activation(self) -> FinalActivation | None:
        return self.layer.final_activation()

    def logits(self) -> Layer:
        return replace(self, layer=self.layer.logits())

    def map_layers(self, function: Callable[[str | None, Layer], Layer]) -> Self:
        return replace(self, layer=function(None, self.layer))

    def _kernel_name(self, params: Params) -> str:
        for name in ("kernel", "embeddings"):
            if name in params:
                return name
        raise ValueError(
            f"{self!r}: layer must have params with a 'kernel' or 'embeddings', "
            f"got {sorted(params)}"
        )

    def _check(self, params: Params, state: State) -> None:
        """Checks the weights that this layer reads; `layer` checks the others."""
        for kind, tree in (("params", params), ("state", state)):
            if not isinstance(tree, dict):
                weights.check(self, kind, tree, {})
        kernel = params[self._kernel_name(params)]
        vector = {name: value for name, value in state.items() if name == "vector_u"}
        weights.check(self, "state", vector, {"vector_u": (1, kernel.shape[-1])})


def _without_vector(state: State) -> State:
    return {name: value for name, value in state.items() if name != "vector_u"}
