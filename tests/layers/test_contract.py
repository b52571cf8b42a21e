"""The contract of every layer: two pure functions that all transformations of JAX accept."""

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxlayers
from jaxlayers import layers
from jaxlayers.input_layer import InputLayer
from jaxlayers.layers import (
    ELU,
    Activation,
    ActivityRegularization,
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    Add,
    AlphaDropout,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    CustomScaleLayer,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    Frozen,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    GroupNormalization,
    Identity,
    InferenceMode,
    LayerNormalization,
    LayerScale,
    LeakyReLU,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    Minimum,
    Multiply,
    Normalization,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    RMSNormalization,
    SeparableConv1D,
    SeparableConv2D,
    Softmax,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
    SpectralNormalization,
    Subtract,
    SumPooling2D,
    UnitNormalization,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)

BATCH = 3


def graph() -> jaxlayers.Functional:
    """Returns a model of all merging layers, with layers that are called several times."""
    a = jaxlayers.Input((3, 3))
    shared, normalization = Dense(3, activity_regularizer="l2"), BatchNormalization()
    x, y = shared(a), normalization(shared(normalization(a)))
    z = Multiply()([Maximum()([x, y]), Minimum()([x, y]), Dropout(0.3)(Subtract()([x, y]))])
    z = CustomScaleLayer(0.5)([a, Average()([z, a])])
    return jaxlayers.Functional(a, Concatenate()([Dot(2)([x, z]), Add()([Dot((2, 2))([y, z]), z])]))


CASES = [
    (Dense(4, activation="gelu", kernel_regularizer="l2", activity_regularizer="l2"), (5,)),
    (Dense(2, use_bias=False, kernel_constraint="max_norm"), (2, 3)),
    (Conv2D(4, 3, activation="tanh"), (5, 4, 2)),
    (Conv2D(4, (3, 2), strides=2, padding="same", activity_regularizer="l1"), (5, 4, 3)),
    (Conv2D(4, 2, dilation_rate=2, groups=2, use_bias=False), (5, 4, 2)),
    (Conv2D(4, 3, strides=(1, 2), padding="same", data_format="channels_first"), (2, 5, 4)),
    (Conv2DTranspose(3, 3, activation="softplus"), (3, 4, 2)),
    (Conv2DTranspose(3, 4, strides=2, padding="same", use_bias=False), (3, 2, 2)),
    (Conv2DTranspose(2, 2, strides=(3, 1), output_padding=(1, 0)), (3, 2, 2)),
    (Conv2DTranspose(2, 3, dilation_rate=2, data_format="channels_first"), (2, 3, 2)),
    (SeparableConv2D(3, 2, padding="same", pointwise_regularizer="l2"), (3, 4, 2)),
    (BatchNormalization(momentum=0.9, gamma_regularizer="l1"), (3,)),
    (BatchNormalization(axis=1, center=False), (2, 3, 4)),
    (BatchNormalization(renorm=True, renorm_clipping={"rmax": 1.5, "dmax": 0.5}), (3, 2)),
    (MaxPooling2D(), (4, 5, 2)),
    (MaxPooling2D(3, 2, "same", "channels_first"), (2, 4, 5)),
    (AveragePooling2D(2), (4, 5, 2)),
    (AveragePooling2D((3, 2), (1, 2), "same"), (4, 5, 2)),
    (SumPooling2D(3, 2, "same"), (4, 5, 2)),
    (GlobalAveragePooling2D(), (3, 4, 2)),
    (GlobalMaxPooling2D("channels_first", keepdims=True), (2, 3, 4)),
    (AdaptiveAveragePooling2D((2, 3)), (5, 6, 2)),
    (AdaptiveMaxPooling2D((3, 2), "channels_first"), (2, 5, 6)),
    (UpSampling2D((2, 3)), (3, 2, 2)),
    (UpSampling2D(2, "channels_first", "bilinear"), (2, 3, 2)),
    (UpSampling2D(2, interpolation="bicubic"), (3, 2, 2)),
    (UpSampling2D(2, interpolation="lanczos3"), (3, 2, 2)),
    (UpSampling2D(2, interpolation="lanczos5"), (3, 2, 2)),
    (ZeroPadding2D(((1, 0), (2, 3))), (3, 2, 2)),
    (Cropping2D(((1, 0), (0, 2))), (3, 4, 2)),
    (Reshape((2, -1)), (3, 4)),
    (Flatten(), (2, 3, 2)),
    (Flatten("channels_first"), (2, 3, 2)),
    (Activation("sigmoid"), (4,)),
    (Activation("glu"), (3, 4)),
    (ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), (6,)),
    (LeakyReLU(), (6,)),
    (Softmax(), (4,)),
    (Softmax(axis=(1, 2)), (2, 3)),
    (Dropout(0.4), (6,)),
    (Dropout(0.4, noise_shape=(None, 1, 1, None)), (3, 2, 4)),
    (LayerNormalization((3, 1), gamma_regularizer="l2"), (2, 3, 4)),
    (GroupNormalization(2, axis=1, beta_constraint="non_neg"), (4, 3)),
    (RMSNormalization((1, 2)), (3, 2)),
    (UnitNormalization(), (2, 3)),
    (SpectralNormalization(Dense(3, activity_regularizer="l1"), power_iterations=2), (4,)),
    (Embedding(256, 2, embeddings_regularizer="l2"), (3,)),
    (PReLU(shared_axes=1, alpha_regularizer="l2"), (2, 3)),
    (Normalization(), (2, 3)),
    # Layers with little code of their own are in one Sequential, which compiles faster.
    (
        jaxlayers.Sequential(
            [
                Rescaling((0.5, 2.0, -1.0), 0.25),
                Normalization(1, (0.5, 1.0), (2.0, 0.5), invert=True),
                ActivityRegularization(0.1, 0.2),
                Permute((2, 1)),
                ELU(0.5),
                Identity(),
                Flatten(),
                RepeatVector(2),
                LayerScale(0.5, 6),
                InferenceMode(BatchNormalization()),
                # Without params, since their gradients are zero, unlike finite differences.
                Frozen(BatchNormalization(center=False, scale=False)),
            ]
        ),
        (2, 3),
    ),
    (
        jaxlayers.Sequential(
            [
                GaussianNoise(0.5),
                GaussianDropout(0.4),
                AlphaDropout(0.4, noise_shape=(None, 1, None)),
                SpatialDropout1D(0.4),
                Reshape((4, 2, 3)),
                SpatialDropout2D(0.4, "channels_first"),
                Reshape((2, 1, 3, 4)),
                SpatialDropout3D(0.4),
            ]
        ),
        (4, 6),
    ),
    (
        jaxlayers.Sequential(
            [
                Conv2D(4, 3, padding="same", activity_regularizer="l2"),
                jaxlayers.Sequential(
                    [BatchNormalization(), LeakyReLU(0.2), Dropout(0.3)], name="b"
                ),
                UpSampling2D(),
                Conv2DTranspose(2, 3, padding="same"),
                Flatten(),
                Dense(1, activation="sigmoid"),
            ]
        ),
        (3, 4, 2),
    ),
    (graph(), (3, 3)),
]

# The computations above, mostly in other numbers of dimensions, for the tests that do not compile.
OTHER_DIMENSIONS = [
    (Conv1D(4, 3, strides=2, padding="causal", activity_regularizer="l2"), (5, 2)),
    (Conv3D(2, 2, padding="same", data_format="channels_first"), (2, 2, 3, 2)),
    (DepthwiseConv2D(2, strides=2, dilation_rate=2, depth_multiplier=2), (5, 4, 2)),
    (Conv1DTranspose(3, 3, strides=2, padding="same", data_format="channels_first"), (2, 4)),
    (Conv3DTranspose(2, 2, strides=(1, 2, 2), output_padding=(0, 1, 0)), (2, 3, 2, 2)),
    (DepthwiseConv1D(3, use_bias=False, depthwise_constraint="max_norm"), (5, 2)),
    (SeparableConv1D(3, 2, dilation_rate=2, depth_multiplier=2), (5, 2)),
    (MaxPooling1D(padding="same"), (5, 2)),
    (MaxPooling3D((1, 2, 2), data_format="channels_first"), (2, 3, 4, 2)),
    (AveragePooling1D(3, 2), (5, 2)),
    (AveragePooling3D(2), (2, 3, 4, 2)),
    (GlobalAveragePooling1D(keepdims=True), (4, 2)),
    (GlobalAveragePooling3D(), (2, 3, 4, 2)),
    (GlobalMaxPooling1D("channels_first"), (2, 4)),
    (GlobalMaxPooling3D(keepdims=True), (2, 3, 4, 2)),
    (AdaptiveAveragePooling1D(2), (5, 2)),
    (AdaptiveAveragePooling3D((1, 2, 3)), (2, 3, 4, 2)),
    (AdaptiveMaxPooling1D(3), (2, 2)),
    (AdaptiveMaxPooling3D(2, "channels_first"), (2, 2, 3, 4)),
    (UpSampling1D(3), (4, 2)),
    (UpSampling3D((1, 2, 3), "channels_first"), (2, 2, 3, 1)),
    (ZeroPadding1D((2, 0)), (4, 2)),
    (ZeroPadding3D((0, 1, (2, 1))), (2, 3, 1, 2)),
    (Cropping1D((0, 2)), (4, 2)),
    (Cropping3D((0, 1, (1, 0)), "channels_first"), (2, 2, 3, 2)),
]
EVERY_CASE = CASES + OTHER_DIMENSIONS


def parametrized(cases: list[Any]) -> Any:
    ids = [f"{i}-{type(case[0]).__name__}" for i, case in enumerate(cases)]
    return pytest.mark.parametrize(("layer", "shape"), cases, ids=ids)


every_layer, every_computation = parametrized(EVERY_CASE), parametrized(CASES)


def make(layer: Any, shape: Any, *batch: int, dtype: Any = None) -> tuple[Any, Any, Any]:
    """Returns params, state and an input without zeros or ties, where derivatives do not exist."""
    params, state = layer.init(jax.random.key(0), shape)
    x = normal(1, (*(batch or (BATCH,)), *shape))
    if dtype is not None:
        params, x = jax.tree.map(lambda a: jnp.asarray(np.asarray(a).astype(dtype)), (params, x))
    return params, state, x


def normal(seed: int, shape: Any) -> Any:
    """Returns normally distributed floats of NumPy, since JAX compiles its own for each shape."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), float)


def train(layer: Any, params: Any, state: Any, x: Any) -> Any:
    return layer.apply(params, state, x, training=True, key=jax.random.key(2))


def loss_of(layer: Any, state: Any, training: bool = True) -> Any:
    """Returns a smooth scalar function of params and input whose derivatives are not zero."""

    def loss(params: Any, x: Any) -> Any:
        y, new_state = layer.apply(params, state, x, training=training, key=jax.random.key(2))
        return jnp.sum(jnp.sin(y + 0.1) * (1 + y)) + layer.penalty(params, new_state)

    return loss


def assert_close(actual: Any, expected: Any, rtol: float = 1e-4) -> None:
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        # Sums of at most some hundred float32 numbers, in another order.
        np.testing.assert_allclose(
            np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=rtol, atol=rtol
        )


def assert_finite(tree: Any) -> None:
    for leaf in jax.tree.leaves(tree):
        assert np.all(np.isfinite(np.asarray(leaf, np.float64)))


def avals(tree: Any) -> Any:
    """Returns the shapes and dtypes of a tree."""
    return jax.tree.map(lambda a: (a.shape, a.dtype, a.weak_type), tree)


def test_the_table_includes_every_layer() -> None:
    tested = {type(layer).__name__ for layer, _ in EVERY_CASE}
    for layer, _ in CASES:
        if isinstance(layer, jaxlayers.Sequential):
            tested |= {type(inner).__name__ for inner in layer.layers}
    tested |= {type(layer).__name__ for layer in graph().layers} - {"InputLayer"}
    # The output and the gradients of InBfloat16 are float32 for inputs in bfloat16.
    assert tested == {*layers.__all__} - {"InBfloat16", "Layer"} | {"Functional", "Sequential"}


@every_layer
def test_layers_are_equal_by_value_hashable_and_pickled(layer, shape) -> None:
    evaluated = eval(repr(layer), {**vars(layers), **vars(jaxlayers), "InputLayer": InputLayer})
    assert evaluated == layer
    assert hash(evaluated) == hash(layer)
    assert {layer: 1}[evaluated] == 1
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert sum(layer == other for other, _ in EVERY_CASE) == 1


@every_layer
def test_a_layer_unpacks_into_init_and_apply(layer, shape) -> None:
    init, apply = layer
    params, state = init(jax.random.key(0), shape)
    y, _ = jax.eval_shape(apply, params, state, jnp.ones((BATCH, *shape)))
    assert y.shape == (BATCH, *layer.output_shape(shape))


@every_layer
def test_layers_are_immutable(layer, shape) -> None:
    with pytest.raises(AttributeError):
        layer.name = "another"


@every_computation
def test_init_depends_only_on_the_key(layer, shape) -> None:
    key = jax.random.key(7)
    eager, repeated = layer.init(key, shape), layer.init(key, shape)
    jax.tree.map(np.testing.assert_array_equal, eager, repeated)
    jitted = jax.jit(layer.init, static_argnums=1)(key, shape)
    assert avals(jitted) == avals(eager)
    assert_close(jitted, eager, rtol=1e-6)
    random = {"kernel"} & eager[0].keys()
    for name in random:
        assert not np.array_equal(eager[0][name], layer.init(jax.random.key(8), shape)[0][name])


@every_layer
def test_shapes_can_be_lists(layer, shape) -> None:
    assert layer.output_shape(list(shape)) == layer.output_shape(shape)
    assert avals(layer.init(jax.random.key(0), list(shape))) == avals(
        layer.init(jax.random.key(0), shape)
    )


@every_computation
@pytest.mark.parametrize("training", [False, True])
def test_apply_is_the_same_under_jit_with_the_layer_as_a_static_argument(
    layer, shape, training
) -> None:
    params, state, x = make(layer, shape)
    arguments = {"training": training, "key": jax.random.key(2)}

    def apply(layer, params, state, x):
        return layer.apply(params, state, x, **arguments)

    with jax.checking_leaks():
        jitted = jax.jit(apply, static_argnums=0)(layer, params, state, x)
    eager = apply(layer, params, state, x)
    assert_close(jitted, eager)
    assert eager[0].shape == (BATCH, *layer.output_shape(shape))
    # scan and while_loop require a carry with constant shapes and dtypes.
    assert avals(eager[1]) == avals(state)


@every_computation
def test_first_and_second_derivatives_equal_finite_differences(layer, shape) -> None:
    # In training mode, these stop the gradient of a correction and of the singular vectors, which
    # finite differences include.
    stops_gradients = isinstance(layer, SpectralNormalization) or getattr(layer, "renorm", False)
    training = not stops_gradients
    with jax.enable_x64(True):
        params, state, x = make(layer, shape)
        loss = loss_of(layer, state, training)
        point = jax.tree.map(np.asarray, (params, x))
        rng = np.random.default_rng(3)
        direction, other_direction = (
            jax.tree.map(lambda a: rng.standard_normal(a.shape), point) for _ in range(2)
        )

        def shifted(distance: float) -> Any:
            return jax.tree.map(lambda a, d: a + distance * d, point, direction)

        def slope(point: Any, direction: Any) -> Any:
            gradient = jax.grad(lambda point: loss(*point))(point)
            return sum(map(jnp.vdot, jax.tree.leaves(gradient), jax.tree.leaves(direction)))

        @jax.jit
        def derivatives(point: Any) -> Any:
            _, forward_over_backward = jax.jvp(
                lambda p: slope(p, other_direction), (point,), (direction,)
            )
            return (
                loss(*point),
                slope(point, other_direction),
                slope(point, direction),
                forward_over_backward,
            )

        step = 1e-6  # relative errors of step ** 2, and of 1e-16 / step by rounding
        _, _, *exact = derivatives(point)
        after, before = (derivatives(shifted(d)) for d in (step, -step))
        first, second = ((after[i] - before[i]) / (2 * step) for i in (0, 1))
        np.testing.assert_allclose(exact, [first, second], rtol=1e-6, atol=1e-6)


@every_computation
@pytest.mark.thorough
def test_vmap_over_inputs_and_params_equals_a_loop(layer, shape) -> None:
    members = 2
    keys = jax.random.split(jax.random.key(0), members)
    x = normal(1, (members, BATCH, *shape))

    def forward_and_gradient(params, state, x):
        gradient = jax.grad(loss_of(layer, state), (0, 1))(params, x)
        return train(layer, params, state, x), gradient

    def member(tree, i):
        return jax.tree.map(lambda a: a[i], tree)

    @jax.jit
    def mapped(keys, x):
        params, state = jax.vmap(lambda key: layer.init(key, shape))(keys)
        shared = member((params, state), 0)
        return (
            (params, state),
            jax.vmap(forward_and_gradient)(params, state, x),
            jax.vmap(lambda x: train(layer, *shared, x))(x),
        )

    one = jax.jit(forward_and_gradient)
    # NumPy selects members without compiling.
    weights, all_mapped, inputs_mapped, x = jax.tree.map(np.asarray, (*mapped(keys, x), x))
    assert_close(member(weights, 1), layer.init(keys[1], shape))
    for i in range(members):
        assert_close(member(all_mapped, i), one(*member((*weights, x), i)))
        assert_close(member(inputs_mapped, i), one(*member(weights, 0), x[i])[0])


@every_computation
def test_scan_over_training_steps_equals_a_loop(layer, shape) -> None:
    steps = 3
    params, state, xs = make(layer, shape, steps, BATCH)
    keys = jax.random.split(jax.random.key(4), steps)

    def step(state, x_and_key):
        x, key = x_and_key
        y, state = layer.apply(params, state, x, training=True, key=key)
        return state, y

    scanned = jax.jit(lambda state: jax.lax.scan(step, state, (xs, keys)))(state)
    outputs, carried, one = [], state, jax.jit(step)
    for x, key in zip(np.asarray(xs), keys, strict=True):
        carried, y = one(carried, (x, key))
        outputs.append(y)
    assert_close(scanned, (carried, np.stack(outputs)))


@every_computation
@pytest.mark.thorough
def test_in_bfloat16_the_output_is_bfloat16_and_the_state_float32(layer, shape) -> None:
    params, state, x = make(layer, shape, dtype=jnp.bfloat16)
    loss = loss_of(layer, state)
    exact = jax.tree.map(lambda a: np.asarray(a).astype(np.float32), (params, x))

    @jax.jit
    def outputs(params, x, exact):
        reference, _ = train(layer, exact[0], state, exact[1])
        return train(layer, params, state, x), reference

    (y, new_state), reference = outputs(params, x, exact)
    gradients = jax.eval_shape(jax.grad(lambda p, x: loss(p, x).astype(float), (0, 1)), params, x)
    assert y.dtype == jnp.bfloat16
    assert {a.dtype for a in jax.tree.leaves(gradients)} == {jnp.dtype(jnp.bfloat16)}
    assert avals(new_state) == avals(state)
    assert {a.dtype for a in jax.tree.leaves(new_state)} <= {jnp.dtype(jnp.float32)}
    # bfloat16 has 8 bits: each rounding has an error of at most 2 ** -9 of the largest value, and a
    # graph of ten layers has some dozens.
    largest = np.max(np.abs(reference))
    np.testing.assert_allclose(
        np.asarray(y, np.float32), np.asarray(reference, np.float32), atol=0.05 * largest
    )


@every_layer
def test_in_float64_outputs_and_state_are_float64(layer, shape) -> None:
    with jax.enable_x64(True):
        params, state, x = make(layer, shape)
        assert {a.dtype for a in jax.tree.leaves((params, state, x))} == {jnp.dtype("float64")}
        y, new_state = jax.eval_shape(lambda: train(layer, params, state, x))
        assert y.dtype == jnp.float64
        assert avals(new_state) == avals(state)


@every_computation
@pytest.mark.thorough
@pytest.mark.parametrize("batch", [0, 1])
def test_batches_of_0_and_1_examples_train(layer, shape, batch) -> None:
    params, state, x = make(layer, shape, batch)

    @jax.jit
    def train_infer_and_differentiate(params, x):
        gradients = jax.grad(loss_of(layer, state), (0, 1))(params, x)
        return train(layer, params, state, x), layer.apply(params, state, x)[0], gradients

    (y, new_state), inferred, gradients = train_infer_and_differentiate(params, x)
    assert y.shape == inferred.shape == (batch, *layer.output_shape(shape))
    assert avals(new_state) == avals(state)
    assert_finite((y, inferred, new_state, gradients))


@pytest.mark.parametrize("renorm", [False, True])
def test_an_empty_batch_does_not_change_moving_statistics(renorm) -> None:
    layer = BatchNormalization(renorm=renorm)
    params, state, x = make(layer, (3,), 0)
    _, new_state = train(layer, params, state, x)
    assert_close(new_state, state, rtol=0)


@every_computation
@pytest.mark.thorough
def test_layers_export_to_every_platform_with_a_symbolic_batch_size(layer, shape) -> None:
    params, state, x = make(layer, shape)
    (batch,) = export.symbolic_shape("b")
    weight_shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (params, state))
    any_x = jax.ShapeDtypeStruct((batch, *shape), x.dtype)

    def infer(params, state, x):
        return layer.apply(params, state, x)[0]

    def gradients(params, state, x):
        return jax.grad(loss_of(layer, state), (0, 1))(params, x)

    def exported(function):
        platforms = ("cpu", "cuda", "tpu")
        result = export.export(jax.jit(function), platforms=platforms)(*weight_shapes, any_x)
        assert result.platforms == platforms
        return result

    y = exported(infer).call(params, state, x)
    assert_close(y, infer(params, state, x))
    shapes = [aval.shape for aval in exported(gradients).out_avals]
    assert shapes == [a.shape for a in jax.tree.leaves((params, any_x))]


@every_computation
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_inputs_can_be_numpy_arrays(layer, shape, dtype) -> None:
    params, state, _ = make(layer, shape)
    # Sums and differences of numbers this large would overflow uint8.
    x = np.random.default_rng(0).integers(180, 250, (BATCH, *shape)).astype(dtype)
    expected = train(layer, params, state, jnp.asarray(x, jnp.float32))
    assert_close(train(layer, params, state, x), expected)
    assert_close(train(layer, params, state, jnp.asarray(x)), expected)


def test_params_and_state_can_be_numpy_arrays() -> None:
    model, shape = CASES[-1]
    params, state, x = make(model, shape)
    numpy_weights = jax.tree.map(np.asarray, (params, state))
    assert_close(train(model, *numpy_weights, x), train(model, params, state, x))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int32])
def test_max_pooling_keeps_boolean_and_integer_dtypes(dtype) -> None:
    x = np.arange(32).reshape(1, 4, 4, 2).astype(dtype)
    y, _ = MaxPooling2D(2).apply({}, {}, jnp.asarray(x))
    assert y.dtype == dtype
    expected = x.reshape(1, 2, 2, 2, 2, 2).max((2, 4))
    np.testing.assert_array_equal(y, expected)
