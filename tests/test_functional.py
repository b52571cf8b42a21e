"""`Functional`: its value, names, inputs and outputs, and its methods as a layer."""

import copy
import pickle
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlayers
from jaxlayers import Functional, Input, Sequential, layers, runs, train
from jaxlayers.input_layer import InputLayer
from jaxlayers.layer import Layer
from jaxlayers.layers import InBfloat16

NAMESPACE = {**vars(layers), **vars(jaxlayers), "InputLayer": InputLayer}


def residual(**arguments: Any) -> Functional:
    """x + dense_1(relu(dense(x)))"""
    x = Input((3,))
    y = layers.Dense(4)(x)
    y = layers.ReLU()(y)
    y = layers.Dense(3)(y)
    return Functional(x, layers.Add()([x, y]), **arguments)


def two_by_two() -> Functional:
    """Two inputs and two outputs, the first of a layer that is called twice."""
    a, b = Input((3,), name="a"), Input((3,), name="b")
    dense = layers.Dense(2, activity_regularizer="l2", kernel_constraint="non_neg")
    merged = layers.Concatenate()([dense(a), dense(b)])
    return Functional([a, b], [merged, layers.Dense(1)(merged)], name="pair")


def init(model: Any, seed: int = 0) -> tuple[Any, Any]:
    return model.init(jax.random.key(seed))


def normal(*shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(1), shape)


def test_the_model_is_a_value() -> None:
    model, same = residual(), residual()
    assert model == same and hash(model) == hash(same)
    assert {model: 1}[same] == 1
    other = residual(name="other", fuse=False)
    assert model != other and model != residual(fuse=False)
    assert replace(other, name="functional", fuse=True) == model
    for value in (model, other, two_by_two()):
        assert eval(repr(value), NAMESPACE) == value
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value
        assert "Symbolic" not in repr(value)
    apply = jax.jit(lambda model, *a: model.apply(*a)[0], static_argnums=0)
    arguments = *init(model), normal(2, 3)
    with jax.checking_leaks():
        np.testing.assert_allclose(apply(same, *arguments), apply(model, *arguments))
    assert apply._cache_size() == 1


def test_a_model_is_constructed_from_names() -> None:
    nodes = [
        ("sum", layers.Add(), [["first", ("first", 1, 0)]]),
        ("first", layers.Dense(3), ["x", "first"]),
        ("x", InputLayer((3,))),
    ]
    model = Functional("x", "sum", nodes=nodes)
    assert model.names == ("x", "first", "sum")
    x = Input((3,), name="x")
    dense = layers.Dense(3)
    y = dense(x, name="first")
    assert Functional(x, layers.Add()([y, dense(y)], name="sum")) == model


def test_the_output_is_that_of_the_layers() -> None:
    model = residual()
    params, state = init(model)
    x = normal(2, 3)
    hidden = jax.nn.relu(x @ params["dense"]["kernel"])
    y, new_state = model.apply(params, state, x)
    np.testing.assert_allclose(y, x + hidden @ params["dense_1"]["kernel"], rtol=1e-6)
    assert [*params] == ["dense", "dense_1"]
    assert state == new_state == {}
    assert not np.array_equal(init(model, 1)[0]["dense"]["kernel"], params["dense"]["kernel"])


def test_one_layer_object_has_one_set_of_weights_and_equal_objects_have_their_own() -> None:
    x = Input((3,))
    dense = layers.Dense(3)
    shared, separate = Functional(x, dense(dense(x))), Functional(x, dense(layers.Dense(3)(x)))
    assert [*init(shared)[0]] == ["dense"]
    assert sorted(init(separate)[0]) == ["dense", "dense_1"]
    params, state = init(shared)
    kernel = params["dense"]["kernel"]
    x = normal(2, 3)
    np.testing.assert_allclose(shared.apply(params, state, x)[0], x @ kernel @ kernel, rtol=1e-5)


def test_layers_have_the_names_of_their_calls_or_those_of_keras() -> None:
    x = Input((3,), name="x")
    y = layers.Dense(3)(layers.Dense(3)(x), name="dense")
    inner = Functional(x, layers.ReLU()(x), name="block")
    z = layers.Add()([y, layers.Dense(3)(x), inner(x), inner(y)], name="sum")
    model = Functional(x, Sequential([layers.ReLU()], name="tail")(z))
    assert sorted(model.names) == ["block", "dense", "dense_1", "dense_2", "sum", "tail", "x"]
    assert model["dense"] == layers.Dense(3)
    assert model[0] == model["x"] == InputLayer((3,))
    assert dict(model.items())["block"] == inner
    assert len(model) == len(model.names) == len(model.layers) == 7
    with pytest.raises(KeyError, match=r"index must be one of .*'sum'.*got 'total'"):
        model["total"]
    with pytest.raises(IndexError, match=r"index must be an integer from -7 to 6.*got 7"):
        model[7]
    with pytest.raises(TypeError, match=r"index must be .* or the name of a layer, got slice"):
        model[:2]


def test_inputs_are_tuples_or_dictionaries() -> None:
    model = two_by_two()
    weights, (a, b) = init(model), (normal(2, 3), -normal(2, 3))
    expected, _ = model.apply(*weights, (a, b))
    assert isinstance(expected, tuple) and [y.shape for y in expected] == [(2, 4), (2, 1)]
    assert model.input_shape == ((3,), (3,))
    assert model.output_shape() == model.output_shape([(3,), [3]]) == ((4,), (1,))
    for x in ([a, b], {"b": b, "a": a}):
        jax.tree.map(np.testing.assert_array_equal, model.apply(*weights, x)[0], expected)
    first, second = Input((3,)), Input((2,))
    named = Functional(
        {"z": first, "a": second}, {"y": layers.Dense(1)(first), "b": layers.Dense(1)(second)}
    )
    assert named.input_shape == {"z": (3,), "a": (2,)}
    assert named.output_shape({"a": (2,), "z": (3,)}) == {"y": (1,), "b": (1,)}
    y, _ = named.apply(*init(named), {"a": normal(2, 2), "z": normal(2, 3)})
    assert type(y) is dict and [*y] == ["y", "b"]
    assert eval(repr(named), NAMESPACE) == named and hash(named) == hash(copy.copy(named))
    outputs = named({"a": Input((2,)), "z": Input((3,))})
    assert outputs["y"].shape == (None, 1)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 3)), r"x must be a tuple of 2, or a .*\['a', 'b'\], got ndarray"),
        ([np.ones((2, 3))], "x must be a tuple of 2.*, got 1"),
        (
            {"a": np.ones((2, 3))},
            r"x must be .*'b'\], got a .* the keys \['a'\]",
        ),
        ((np.ones((2, 3)), np.ones(3)), r"input 'b' must be \[batch, 3\], .*\(3,\).*pass x\[None"),
    ],
)
def test_inputs_of_another_form_are_refused(x, message) -> None:
    model = two_by_two()
    with pytest.raises(ValueError, match=f"Functional 'pair': {message}"):
        model.apply(*init(model), x)
    with pytest.raises(ValueError, match="input_shape must be"):
        model.init(jax.random.key(0), ((3,), (4,)))


def test_inputs_have_the_sizes_of_the_constructor_as_in_keras() -> None:
    image = Input((8, None, 1), "image")
    model = Functional(image, layers.GlobalAveragePooling2D()(image), name="mean")
    for columns in (3, 8):
        assert model.apply({}, {}, normal(2, 8, columns, 1))[0].shape == (2, 1)
    message = r"Functional 'mean': x must be \[batch, 8, None, 1\], got .* \(2, 9, 7, 1\)"
    with pytest.raises(ValueError, match=message):
        model.apply({}, {}, normal(2, 9, 7, 1))
    # Keras's Sequential accepts other sizes.
    pooling = Sequential([layers.GlobalAveragePooling2D()], (8, 8, 1))
    assert pooling.apply({}, {}, normal(2, 9, 7, 1))[0].shape == (2, 1)


def test_a_single_input_can_be_in_a_list_or_dictionary() -> None:
    model, x = residual(), normal(2, 3)
    weights = init(model)
    expected, _ = model.apply(*weights, x)
    for given in ([x], {"input_layer": x}):
        np.testing.assert_array_equal(model.apply(*weights, given)[0], expected)
    assert model.output_shape((3,)) == model.output_shape([(3,)]) == (3,)
    x = Input((3,))
    assert Functional([x], [layers.ReLU()(x)]) == Functional(x, layers.ReLU()(x))


def test_vmap_and_gradients_of_models_with_several_inputs() -> None:
    model = two_by_two()
    weights, x = init(model), (normal(5, 2, 3), -normal(5, 2, 3))
    mapped = jax.vmap(lambda x: model.apply(*weights, x)[0])(x)
    merged = model.apply(*weights, jax.tree.map(jnp.concatenate, x))[0]
    np.testing.assert_allclose(mapped[1].reshape(-1, 1), merged[1], rtol=1e-5, atol=1e-6)

    def total(x):
        return jax.vmap(lambda x: model.apply(*weights, x)[0][0])(x).sum()

    gradient = jax.grad(total)(x)
    expected = jnp.broadcast_to(weights[0]["dense"]["kernel"].sum(1), (5, 2, 3))
    np.testing.assert_allclose(gradient, (expected, expected), rtol=1e-5)


def test_each_call_has_its_own_random_key() -> None:
    x = Input((4096,))
    dropout = layers.Dropout(0.5)
    model = Functional(x, layers.Multiply()([dropout(x), dropout(x)]))
    y, _ = model.apply({}, {}, jnp.ones((1, 4096)), training=True, key=jax.random.key(0))
    # With equal masks, half of the values would remain. The bound is five standard deviations.
    assert abs(float(jnp.mean(y > 0)) - 0.25) < 5 * (0.25 * 0.75 / 4096) ** 0.5


def test_penalties_of_several_calls_are_added_and_not_accumulated_over_steps() -> None:
    model = two_by_two()
    params, state = init(model)
    a, b = normal(2, 3), normal(2, 3) + 1
    for _ in range(2):
        _, state = model.apply(params, state, (a, b))
        outputs = [x @ params["dense"]["kernel"] for x in (a, b)]
        expected = sum(0.01 * np.sum(np.square(y)) / 2 for y in outputs)
        np.testing.assert_allclose(model.penalty(params, state), expected, rtol=1e-5)
    # Also if the layer that is called several times is a model.
    inner = Functional(x := Input((3,)), layers.Dense(3, activity_regularizer="l2")(x))
    outer = Functional(x, layers.Add()([inner(x), inner(x)]))
    params, state = init(outer)
    once, _ = init(outer)
    _, state = outer.apply(params, state, a)
    y = a @ once["functional"]["dense"]["kernel"]
    np.testing.assert_allclose(
        outer.penalty(params, state), 2 * 0.01 * np.sum(np.square(y)) / 2, rtol=1e-5
    )


def test_constraints_are_applied_once_per_layer() -> None:
    model = two_by_two()
    params, _ = init(model)
    projected = model.constrain(params)
    assert projected.keys() == params.keys()
    expected = np.maximum(params["dense"]["kernel"], 0)
    np.testing.assert_array_equal(projected["dense"]["kernel"], expected)


def test_models_nest_in_both_directions() -> None:
    stack = Sequential([layers.Dense(3), residual(name="inner")], name="stack")
    x = Input((2,))
    y = stack(x)
    model = Sequential([Functional(x, layers.Add()([y, stack(x)])), layers.Dense(1)], (2,))
    params, state = init(model)
    assert [*params] == ["functional", "dense"]
    assert [*params["functional"]["stack"]["inner"]] == ["dense", "dense_1"]
    z = normal(2, 2)
    twice = 2 * stack.apply(params["functional"]["stack"], {}, z)[0]
    expected = twice @ params["dense"]["kernel"]
    np.testing.assert_allclose(model.apply(params, state, z)[0], expected, rtol=1e-5, atol=1e-6)
    table = model.summary()
    assert "│    functional (Functional)" not in table and "│       stack (Sequential)" not in table
    assert "│    stack (Sequential)" in table and "│          dense_1 (Dense)" in table
    # Several outputs of one layer are the inputs of the next.
    split = Functional(x, [layers.Dense(3)(x), layers.Dense(4)(x)])
    assert Sequential([split, layers.Concatenate()], (2,)).output_shape() == (7,)


def test_submodels_use_the_params_of_the_model() -> None:
    model = residual()
    params, state = init(model)
    x = normal(2, 3)
    hidden = model.submodel("dense")
    assert hidden.names == ("input_layer", "dense") and hidden.name == model.name
    y, _ = hidden.apply(params, state, x)
    np.testing.assert_allclose(y, x @ params["dense"]["kernel"], rtol=1e-6)
    assert model.submodel("add") == model
    assert Sequential([layers.Dense(2), layers.ReLU()]).submodel("dense").names == ("dense",)
    pair = two_by_two()
    # All inputs remain, so that the submodel takes the same inputs as the model.
    first, second = pair.submodel("dense"), pair.submodel("dense", call=1)
    assert first.input_shape == second.input_shape == ((3,), (3,))
    params, state = init(pair)
    for model, kept in ((first, 0), (second, 1)):
        y, _ = model.apply(params, state, (x, -x))
        np.testing.assert_allclose(y, (x, -x)[kept] @ params["dense"]["kernel"], rtol=1e-6)
    outer = Functional(x := [Input((3,)), Input((3,))], layers.Concatenate()(pair(x)))
    assert outer.submodel("pair").output_shape() == ((4,), (1,))
    with pytest.raises(KeyError, match="index must be one of"):
        pair.submodel("conv2d")
    with pytest.raises(ValueError, match="call must be an integer from 0 to 1, got 2"):
        pair.submodel("dense", call=2)


def upsampled(*, uses: int = 1, is_output: bool = False) -> Functional:
    image = Input((8, 8, 2))
    large = layers.UpSampling2D()(image)
    y = layers.Conv2D(3, 3, padding="same")(large)
    outputs = [y, *(layers.Flatten()(large) for _ in range(uses - 1))]
    return Functional(image, [*outputs, large] if is_output else outputs)


@pytest.mark.parametrize(
    ("arguments", "is_fused"), [({}, True), ({"uses": 2}, False), ({"is_output": True}, False)]
)
def test_upsampling_is_fused_with_a_convolution_that_alone_uses_it(arguments, is_fused) -> None:
    model, x = upsampled(**arguments), normal(1, 8, 8, 2)
    params, state = init(model)
    text = str(jax.make_jaxpr(lambda x: model.apply(params, state, x)[0])(x))
    assert ("[1,16,16,2]" not in text) == is_fused
    if is_fused:
        y, _ = model.apply(params, state, x)
        expected, _ = replace(model, fuse=False).apply(params, state, x)
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def classifier(*end: Layer) -> Functional:
    x = Input((2, 3))
    y = layers.Add()([layers.Dense(3)(x), x])
    for layer in end:
        y = layer(y)
    return Functional(x, y)


@pytest.mark.parametrize(
    ("end", "name", "removable"),
    [
        ([layers.Dense(3, "sigmoid")], "sigmoid", True),
        ([layers.Dense(3, "sigmoid"), layers.Flatten(), layers.Dropout(0.5)], "sigmoid", True),
        ([layers.Flatten(), layers.Activation("softmax"), layers.Reshape((3, 2))], "softmax", True),
        ([layers.Softmax(), layers.Flatten()], "softmax", False),
        ([Sequential([layers.Dense(3), layers.Activation("sigmoid")])], "sigmoid", True),
        ([layers.Dense(3, "tanh")], "tanh", True),
    ],
)
def test_logits_are_the_inputs_of_the_final_sigmoid_or_softmax(end, name, removable) -> None:
    model = classifier(*end)
    found = model.final_activation()
    assert (found.name, found.removable) == (name, removable)
    logits = model.logits()
    assert logits.names == model.names
    assert (logits == model) == (name == "tanh" or not removable)
    assert logits.logits() == logits
    if logits != model:
        params, state = init(model)
        x = normal(2, 2, 3)
        y, z = model.apply(params, state, x)[0], logits.apply(params, state, x)[0]
        activation = getattr(jax.nn, name)
        axes = {"axis": tuple(range(1, z.ndim))} if name == "softmax" else {}
        np.testing.assert_allclose(activation(z, **axes), y, rtol=1e-5)
    assert Sequential([model, layers.Flatten()], (2, 3)).final_activation().name == name


def test_the_activation_of_a_layer_that_is_called_elsewhere_cannot_be_removed() -> None:
    x = Input((3,))
    dense = layers.Dense(3, "sigmoid")
    model = Functional(x, dense(dense(x)))
    assert model.final_activation().name == "sigmoid"
    assert not model.final_activation().removable
    assert model.logits() == model
    # Neither is known for merged values and for several outputs.
    merged = layers.Add()([dense(x), x])
    for other in (Functional(x, merged), Functional(x, [dense(x), x])):
        assert other.final_activation() is None and other.logits() == other


def test_output_values_are_those_of_the_layers_before_the_output() -> None:
    x = Input((4, 4, 2))
    moved = layers.Flatten()(layers.Dropout(0.5)(x))
    assert Functional(x, moved).output_values == "moved"
    assert Functional(x, layers.GlobalAveragePooling2D()(x)).output_values == "mixed"
    assert Functional(x, layers.ReLU()(moved)).output_values == "computed"
    assert Functional(x, [moved, x]).output_values == "computed"


def test_dtypes_of_inputs_are_converted_between_integers_and_floats_only() -> None:
    x = Input((2,), dtype=jnp.float32)
    model = Functional(x, layers.Maximum()([x]))
    assert model[0] == InputLayer((2,), "float32")
    for dtype, expected in ((jnp.uint8, "float32"), (jnp.bfloat16, "bfloat16")):
        assert model.apply({}, {}, jnp.ones((1, 2), dtype))[0].dtype == expected
    integers = Functional(x := Input((2,), dtype="int32"), layers.Maximum()([x]))
    assert integers.apply({}, {}, jnp.ones((1, 2)))[0].dtype == jnp.int32


def test_models_with_several_inputs_compute_in_bfloat16() -> None:
    model = InBfloat16(two_by_two())
    params, state = model.init(jax.random.key(0), model.input_shape)
    x = (normal(2, 3), normal(2, 3))
    outputs, new_state = jax.eval_shape(model.apply, params, state, x)
    assert {y.dtype for y in outputs} == {jnp.dtype("float32")}
    assert jax.tree.structure(new_state) == jax.tree.structure(state)
    assert "bf16[2,4]" in str(jax.make_jaxpr(model.apply)(params, state, x))
    # Also in another model, by name.
    a, b = Input((3,), name="a"), Input((3,), name="b")
    inner = InBfloat16(Functional({"a": a, "b": b}, {"sum": layers.Add()([a, b])}))
    outer = Functional([a, b], inner({"b": b, "a": a})["sum"])
    assert "bf16[2,3]" in str(jax.make_jaxpr(outer.apply)({}, {}, x))


def test_arrays_are_not_accepted_in_calls() -> None:
    for x in (jnp.ones((2, 3)), [Input((3,)), jnp.ones((2, 3))], None, [], {}):
        with pytest.raises(TypeError, match=r"Dense\(units=2\): layers are called on .*init.*appl"):
            layers.Dense(2)(x)
    for activation in (layers.ReLU(), layers.ReLU):
        with pytest.raises(TypeError, match=r"Dense: activation: .* or a callable, got .*ReLU"):
            layers.Dense(2, activation=activation)
    with pytest.raises(TypeError, match="x must be an array, got SymbolicTensor"):
        layers.ReLU().apply({}, {}, Input((3,)))
    with pytest.raises(TypeError, match="an input layer has no inputs"):
        InputLayer((3,))(Input((3,)))
    with pytest.raises(ValueError, match="name must be a string"):
        layers.Dense(2)(Input((3,)), name=3)


def test_errors_of_calls_name_the_layer_and_the_inputs() -> None:
    hidden = layers.Dense(4)(Input((3,)))
    with pytest.raises(
        ValueError, match=r"^Add\(\): input_shape must be .*\(\(4,\), \(3,\)\)"
    ) as e:
        layers.Add()([hidden, Input((3,))])
    assert e.value.__notes__ == [
        "In the call of Add() on <SymbolicTensor of shape (None, 4) from Dense(units=4)>, "
        "<SymbolicTensor of shape (None, 3) from InputLayer(shape=(3,))>."
    ]


def test_errors_of_layers_have_notes_that_name_the_layer_and_its_inputs() -> None:
    model = residual(name="block")
    with pytest.raises(ValueError, match="params must be") as error:
        model.apply({}, {}, normal(2, 3))
    note = "In layer 'dense' of Functional 'block', called on 'input_layer'."
    assert error.value.__notes__ == [note]
    with pytest.raises(TypeError, match="Functional 'block': params must be a dictionary"):
        model.apply(None, {}, normal(2, 3))


X, Y = Input((3,), name="x"), Input((4,), name="y")
SHARED = layers.Dense(2)
DENSE = layers.Dense(3)
CHAIN = [("x", InputLayer((3,))), ("a", DENSE, ["x"])]


@pytest.mark.parametrize(
    ("construct", "message"),
    [
        (
            lambda: Functional(X, layers.Concatenate()([X, Y])),
            r"inputs must include every input .* 'y', InputLayer\(shape=\(4,\)\), is missing",
        ),
        (lambda: Functional([X, X], DENSE(X)), "inputs must differ"),
        (lambda: Functional(X, "x"), "must be symbolic tensors, .* or names with nodes"),
        (lambda: Functional(X, X, nodes=[("x", InputLayer((3,)))]), "or names with nodes"),
        (
            lambda: Functional([X, Y], [SHARED(X), SHARED(Y)]),
            r"all calls of 'dense', Dense\(units=2\), must have the same weights, got inputs of "
            r"shape \(3,\) in its first call, and \(4,\) in call 1, on 'y'",
        ),
        (
            lambda: Functional(X, [layers.Dense(2)(X, name="a"), layers.Dense(2)(X, name="a")]),
            "names of layers must be unique, got 'a' for several layers",
        ),
        (
            lambda: Functional(X, [DENSE(X, name="a"), DENSE(X, name="b")]),
            r"all calls of Dense\(units=3\) must have the same name, got \['a', 'b'\]",
        ),
        (
            lambda: Functional(
                "x",
                "c",
                nodes=[
                    ("x", InputLayer((3,))),
                    ("a", layers.Add(), [["x", "c"]]),
                    ("b", DENSE, ["a"]),
                    ("c", layers.ReLU(), ["b"]),
                ],
            ),
            "nodes must not have a cycle, got c -> a -> b -> c",
        ),
        (
            lambda: Functional("x", "a", nodes=[("x", InputLayer((3,))), ("a", DENSE, ["b"])]),
            "the inputs of 'a' must be calls of layers of nodes, got 'b'",
        ),
        (
            lambda: Functional(
                "x", ("a", 1, 0), nodes=[("x", InputLayer((3,))), ("a", DENSE, ["x"])]
            ),
            r"outputs must be calls of layers of nodes, got \('a', 1, 0\)",
        ),
        (
            lambda: Functional(
                "x", ("a", 0, 1), nodes=[("x", InputLayer((3,))), ("a", DENSE, ["x"])]
            ),
            "there is no output 1 of layer 'a'",
        ),
        (
            lambda: Functional("x", "x", nodes=CHAIN),
            "outputs must depend on all nodes, they do not on call 0 of 'a'",
        ),
        (
            lambda: Functional("a", "a", nodes=CHAIN),
            "inputs must be input layers of nodes, got 'a'",
        ),
        (
            lambda: Functional(
                "x", "a", nodes=[("x", InputLayer((3,))), ("a", layers.Conv2D(2, 3), ["x"])]
            ),
            "Conv2D",
        ),
    ],
)
def test_wrong_graphs_are_refused(construct, message) -> None:
    with pytest.raises(ValueError, match=message):
        construct()


def test_deep_graphs_are_constructed_in_linear_time_without_recursion() -> None:
    calls = 0

    class Counting(layers.ReLU):
        def output_shape(self, input_shape: Any) -> Any:
            nonlocal calls
            calls += 1
            return super().output_shape(input_shape)

    x = y = Input((3,))
    for _ in range(5000):
        y = Counting()(y)
    model = Functional(x, y)
    assert model.names[-1] == "counting_4999"
    assert model.output_shape() == (3,)
    assert calls <= 2 * 5000
    assert model.submodel("counting_10").names == model.names[:12]


def test_exported_models_have_several_inputs_and_outputs(tmp_path) -> None:
    pair = two_by_two()
    weights, x = init(pair), (normal(4, 3), 2 * normal(4, 3))
    jaxlayers.export(pair, *weights, tmp_path / "pair.bin")
    exported = jaxlayers.load_exported(tmp_path / "pair.bin")
    for given in (x, [array[:1] for array in x]):
        expected, _ = pair.apply(*weights, given)
        assert jax.tree.all(jax.tree.map(np.allclose, exported(given), expected))
    for wrong in (x[0], (x[0],), dict(zip("ab", x, strict=True))):
        with pytest.raises(TypeError, match=r"x must be .*, 3.*, 3"):
            exported(wrong)
    with pytest.raises(ValueError, match="must have the same batch size, got arrays of shapes"):
        exported((x[0], x[1][:2]))
    by_name = Functional({"q": (q := Input((3,))), "k": (k := Input((2,)))}, [q, k])
    jaxlayers.export(by_name, {}, {}, tmp_path / "by_name.bin")
    y = jaxlayers.load_exported(tmp_path / "by_name.bin")({"q": x[0], "k": x[1][:, :2]})
    assert [array.shape for array in y] == [(4, 3), (4, 2)]


def test_models_for_any_size_are_exported_for_one(tmp_path) -> None:
    model = any_size()
    weights = model.init(jax.random.key(0), (9, 7, 2))
    with pytest.raises(ValueError, match=r"constructed for any size, \(None, None, 2\): input_s"):
        jaxlayers.export(model, *weights, tmp_path / "model.bin")
    jaxlayers.export(model, *weights, tmp_path / "model.bin", input_shape=(9, 7, 2))
    assert jaxlayers.load_exported(tmp_path / "model.bin")(jnp.ones((3, 9, 7, 2)))[0].shape == (
        3,
        2,
    )


def test_models_are_trained_on_the_logits() -> None:
    x = Input((4, 4, 1))
    y = layers.Concatenate()([layers.Conv2D(2, 3, padding="same")(x), x])
    model = Functional(x, layers.Dense(3, "softmax")(layers.Flatten()(y)))
    task = train.Classifier(model, optax.sgd(0.1))
    state = jax.eval_shape(task.init, jax.random.key(0))
    batch = jnp.ones((2, 4, 4, 1)), jnp.zeros(2, int)
    new_state, metrics = jax.eval_shape(task.step, state, batch)
    assert metrics.keys() == {"loss", "accuracy"}
    assert jax.tree.structure(new_state) == jax.tree.structure(state)
    wrong = Functional(x, layers.Dense(3, "sigmoid")(layers.Flatten()(y)))
    with pytest.raises(ValueError, match="must end in softmax or return logits"):
        train.Classifier(wrong, optax.sgd(0.1))
    pair = two_by_two()
    with pytest.raises(ValueError, match=r"the model must have one input, .*\(\(3,\), \(3,\)\)"):
        train.Supervised(pair, optax.sgd(0.1), "mse")


def test_run_folders_contain_graphs(tmp_path) -> None:
    model = residual()
    params, state = init(model)
    runs.save(tmp_path / "run", model, params, state)
    loaded, loaded_params, _ = runs.load(tmp_path / "run")
    assert loaded == model
    assert jax.tree.all(jax.tree.map(np.array_equal, loaded_params, params))


def any_size() -> Functional:
    image = Input((None, None, 2))
    x = layers.Conv2D(3, 3, strides=2, activation="relu")(image)
    x = layers.Concatenate()([x, layers.Conv2D(2, 1, strides=2)(layers.Cropping2D(1)(image))])
    return Functional(image, [layers.Dense(2)(layers.GlobalAveragePooling2D()(x)), x])


def test_inputs_have_any_size() -> None:
    model = any_size()
    assert model.input_shape == (None, None, 2)
    assert model.output_shape() == ((2,), (None, None, 5))
    assert model.output_shape((9, 7, 2)) == ((2,), (4, 3, 5))
    params, state = model.init(jax.random.key(0), (9, 7, 2))
    for shape in ((9, 7, 2), (12, 5, 2)):
        outputs, _ = model.apply(params, state, jnp.ones((2, *shape)))
        assert [y.shape[1:] for y in outputs] == list(model.output_shape(shape))
    assert "(None, None, None, 5)" in model.summary()
    assert "(None, 4, 3, 5)" in model.summary((9, 7, 2))
    inside = Sequential([model.submodel("concatenate"), layers.GlobalMaxPooling2D()])
    assert inside.output_shape((9, 7, 2)) == (5,)
    image = Input((None, None, 2))
    assert "(None, None, None, 5)" in Functional(image, inside(image)).summary()


def test_the_size_of_inputs_is_checked() -> None:
    model = any_size()
    with pytest.raises(ValueError, match=r"model was constructed for any size, \(None, None, 2\)"):
        model.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"must be \(None, None, 2\), as in the constructor"):
        model.init(jax.random.key(0), (9, 7, 3))
    with pytest.raises(ValueError, match="larger than the sum of cropping"):
        model.output_shape((2, 7, 2))
