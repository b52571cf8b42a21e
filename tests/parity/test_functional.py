"""Graphs of layers compared with Keras's, which the same code constructs."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers import Functional, Input, Sequential, layers
from tests.parity.oracle import assert_close

OURS = SimpleNamespace(**vars(layers), Input=Input, Model=Functional, Sequential=Sequential)
KERAS = SimpleNamespace(**vars(keras.layers), Model=keras.Model, Sequential=keras.Sequential)


def residual(m: Any) -> Any:
    image = m.Input((4, 3, 2))
    shortcut = m.Conv2D(3, 1)(image)
    x = m.Conv2D(3, 3, padding="same", use_bias=False, kernel_regularizer="l2")(image)
    x = m.Activation("relu")(m.BatchNormalization()(x))
    x = m.Add()([shortcut, x])
    y = m.UpSampling2D()(x)
    y = m.Conv2D(3, 3, strides=2, padding="same")(y)
    return m.Model(image, m.Dense(2)(m.Flatten()(m.Concatenate()([y, x]))))


def shared(m: Any) -> Any:
    """Two inputs and outputs; layers that are called several times, at different depths."""
    a, b = m.Input((3,)), m.Input((3,))
    dense = m.Dense(3, activation="tanh", activity_regularizer="l2")
    normalization = m.BatchNormalization(momentum=0.5)
    x = normalization(dense(normalization(dense(a))))
    y = normalization(dense(b))
    product = m.Multiply()([x, y])
    return m.Model([a, b], [m.Dot(1, normalize=True)([product, b]), m.Subtract()([y, x])])


def nested(m: Any) -> Any:
    """Models in models, in both directions, called several times."""
    inner_input = m.Input((3,))
    branches = [m.Dense(3, activation=name)(inner_input) for name in ("tanh", "sigmoid")]
    inner = m.Model(inner_input, [m.Maximum()(branches), m.Average()(branches)])
    block_input = m.Input((3,))
    block_output = m.Add()([block_input, m.BatchNormalization()(block_input)])
    stack = m.Sequential([m.Dense(3), m.Model(block_input, block_output), m.ReLU()])
    x = m.Input((3,))
    first, second = inner(stack(x))
    third, fourth = inner(first)
    return m.Model(x, m.Concatenate()([stack(third), second, fourth]))


def by_name(m: Any) -> Any:
    """Inputs and outputs in dictionaries, whose order is not that of their names."""
    query, key = m.Input((3,), name="query"), m.Input((2,), name="key")
    unused = m.Input((1,), name="another")
    x = m.Concatenate()([m.Dense(3)(query), key])
    y = m.Minimum()([m.Dense(5)(key), x])
    return m.Model(
        {"query": query, "key": key, "another": unused}, {"scores": y, "merged": m.Add()([x, y])}
    )


def unordered(m: Any) -> Any:
    """Layers that are constructed in another order than they are computed in."""
    a, b = m.Input((3,)), m.Input((3,))
    late, early = m.Dense(3)(b), m.Dense(3)(a)
    x = m.Dense(3)(m.Dense(3)(early))
    y = m.Add()([m.Add()([x, late]), b])
    return m.Model([b, a], [late, y, m.Average()([y])])


GRAPHS = [residual, shared, nested, by_name, unordered]
each_graph = pytest.mark.parametrize("graph", GRAPHS)


def both(graph: Callable[[Any], Any]) -> tuple[Functional, Any]:
    keras.backend.clear_session()
    return graph(OURS), graph(KERAS)


def tree_of(model: Any, keras_model: Any, kind: str) -> dict[str, Any]:
    """Returns the variables of a Keras model, in the form of the params or the state of a model."""
    tree = {}
    for (name, layer), keras_layer in zip(model.items(), keras_model.layers, strict=True):
        assert type(layer).__name__ == type(keras_layer).__name__
        if hasattr(layer, "items"):
            tree[name] = tree_of(layer, keras_layer, kind)
        else:
            tree[name] = {variable.name: variable for variable in getattr(keras_layer, kind)}
    return {name: inside for name, inside in tree.items() if inside}


def as_arrays(tree: Any, rng: np.random.Generator, low: float) -> Any:
    return jax.tree.map(lambda v: jnp.asarray(rng.uniform(low, 1, v.shape), v.dtype), tree)


def merged(state: Any, values: Any) -> Any:
    """Returns `state` with its values replaced by those in `values`."""
    if not isinstance(state, dict):
        return values
    return {name: merged(state[name], values.get(name, state[name])) for name in state}


def without_penalties(state: Any) -> Any:
    inside = {
        name: without_penalties(value) if isinstance(value, dict) else value
        for name, value in state.items()
        if name != "activity_penalty"
    }
    return {name: value for name, value in inside.items() if not isinstance(value, dict) or value}


@each_graph
def test_results_and_gradients_equal_keras(graph) -> None:
    model, keras_model = both(graph)
    rng = np.random.default_rng(0)
    trainable = tree_of(model, keras_model, "trainable_variables")
    other = tree_of(model, keras_model, "non_trainable_variables")
    params, state = model.init(jax.random.key(0))
    shapes = lambda tree: jax.tree.map(lambda v: tuple(v.shape), tree)  # noqa: E731
    assert shapes(params) == shapes(trainable)
    assert shapes(without_penalties(state)) == shapes(other)
    params, values = as_arrays(trainable, rng, -1), as_arrays(other, rng, 0.5)
    state = merged(state, values)
    x = jax.tree.map(
        lambda v: jnp.asarray(rng.standard_normal((2, *v)), "float32"),
        model.input_shape,
        is_leaf=lambda v: isinstance(v, tuple) and isinstance(v[0], int),
    )

    def loss(outputs, penalty):
        # A sum with different weights for all values.
        sums = [jnp.vdot(jnp.cos(jnp.arange(y.size)), y) for y in jax.tree.leaves(outputs)]
        return sum(sums) + penalty

    def results(params, x):
        outputs, new_state = model.apply(params, state, x, training=True)
        penalty = model.penalty(params, new_state)
        return loss(outputs, penalty), (outputs, penalty, without_penalties(new_state))

    def keras_results(params, x):
        pairs = [
            (variable, value)
            for variables, tree in ((trainable, params), (other, values))
            for variable, value in zip(
                jax.tree.leaves(variables), jax.tree.leaves(tree), strict=True
            )
        ]
        x = list(x) if isinstance(x, tuple) else x
        with keras.StatelessScope(pairs, collect_losses=True):
            outputs = keras_model(x, training=True)
            penalty = sum(keras_model.losses, start=jnp.zeros(()))
            new_state = jax.tree.map(lambda v: v.value, other)
        outputs = tuple(outputs) if isinstance(outputs, list) else outputs
        return loss(outputs, penalty), (outputs, penalty, new_state)

    def with_gradients(function):
        return jax.jit(jax.grad(function, (0, 1), has_aux=True))(params, x)

    actual, expected = with_gradients(results), with_gradients(keras_results)
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    leaves = jax.tree.leaves_with_path(expected)
    for (path, b), a in zip(leaves, jax.tree.leaves(actual), strict=True):
        assert_close(a, b, "float32", jax.tree_util.keystr(path))


def table(text: str) -> list[list[str]]:
    """Returns the cells of a summary; the layers of nested models are omitted."""
    rows = [re.split("[│┃]", line)[1:-1] for line in text.splitlines() if re.search("[│┃]", line)]
    return [[cell.strip() for cell in row] for row in rows if not row[0].startswith("    ")]


@each_graph
def test_names_shapes_and_summary_equal_keras(graph, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")  # Keras truncates its table to the width of the terminal
    model, keras_model = both(graph)
    lines: list[str] = []
    keras_model.summary(print_fn=lines.append, line_length=400)
    expected, actual = table("\n".join(lines)), table(model.summary())
    if graph is nested:
        # Keras's names are unique among all models, not within each of them.
        renamed = dict(zip((layer.name for layer in keras_model.layers), model.names, strict=True))
        pattern = re.compile("|".join(sorted(renamed, key=len, reverse=True)))
        expected = [[pattern.sub(lambda m: renamed[m[0]], c) for c in row] for row in expected]
    assert actual == expected
    assert len(actual[0]) == 4
    shapes = [shape[1:] for shape in jax.tree.leaves(keras_model.output_shape, is_leaf=is_shape)]
    assert jax.tree.leaves(model.output_shape(), is_leaf=is_shape) == shapes


def is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and not isinstance(value[-1], tuple)


def test_a_graph_that_is_a_chain_has_no_column_of_connections() -> None:
    def chain(m: Any) -> Any:
        x = m.Input((4,))
        return m.Model(x, m.Dense(2)(m.ReLU()(x)))

    model, keras_model = both(chain)
    lines: list[str] = []
    keras_model.summary(print_fn=lines.append)
    assert table(model.summary()) == table("\n".join(lines))
    assert len(table(model.summary())[0]) == 3


def test_an_intermediate_tensor_can_be_an_input() -> None:
    def tail(m: Any) -> Any:
        image = m.Input((4, 4, 1))
        features = m.Flatten()(m.Conv2D(2, 3)(image))
        return m.Model(features, m.Dense(2)(m.Dense(3)(features)))

    model, keras_model = both(tail)
    assert [layer.name for layer in keras_model.layers[1:]] == list(model.names[1:])
    assert model.input_shape == (8,)
    assert model.output_shape() == (2,)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m, a, b: m.Model(a, m.Add()([a, b])),
        lambda m, a, b: m.Model(m.Dense(2)(a), m.Dense(2)(a)),
        lambda m, a, b: m.Model([], a),
        lambda m, a, b: m.Model(a, []),
        lambda m, a, b: m.Model(a, 3),
        lambda m, a, b: m.Model(a, m.Dense(2)),
        lambda m, a, b: m.Dense(2)(m.Add()([a, m.Dense(2)(b)])),
        lambda m, a, b: m.Add()(a),
        lambda m, a, b: m.Conv2D(2, 2)(a),
        lambda m, a, b: [dense := m.Dense(2), dense(a), m.Model(a, dense(dense(a)))],
        lambda m, a, b: m.Model([a, b], m.Add()([a, b]))(a),
        lambda m, a, b: m.Model([a, b], m.Add()([a, b]))([a, m.Dense(2)(b)]),
    ],
)
def test_what_keras_refuses_is_refused(wrong) -> None:
    for m, errors in ((KERAS, Exception), (OURS, (ValueError, TypeError))):
        with pytest.raises(errors):
            wrong(m, m.Input((3,)), m.Input((3,)))
