"""Malicious configs of graphs raise one error, in bounded time and memory."""

import pytest

from jaxlayers import Functional, layers
from jaxlayers.input_layer import InputLayer
from jaxlayers.interop.keras import from_config
from tests.interop.test_hostile_configs import assert_refused
from tests.interop.test_keras2 import layer


def graph(*entries, outputs=("c",), shape=(4,), **config):
    """Returns the config of a Functional whose input is the layer `a`."""
    return {
        "class_name": "Functional",
        "config": {
            "name": "graph",
            "layers": [
                {**layer("InputLayer", "a", batch_shape=[None, *shape]), **NO_NODES},
                *entries,
            ],
            "input_layers": [["a", 0, 0]],
            "output_layers": [[name, 0, 0] for name in outputs],
        }
        | config,
    }


NO_NODES = {"inbound_nodes": []}


def node(name, *sources, calls=1, kind="ReLU", **options):
    """Returns a layer that is called on the outputs of others, in the form of Keras 2."""
    inputs = [[*(s if isinstance(s, list) else [s, 0, 0]), options] for s in sources]
    return {**layer(kind, name), "name": name, "inbound_nodes": [inputs] * calls}


def with_nodes(nodes, **others):
    return {**node("c", "a"), "inbound_nodes": nodes, **others}


def tensor(*history):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": list(history)}}


def called_on(*arguments, **others):
    """Returns a layer that is called with positional arguments, in the form of Keras 3."""
    return with_nodes([{"args": list(arguments), "kwargs": {}}], **others)


def nested(levels):
    """Returns models in models for images of any size, each of which calls the inner one twice."""
    model = graph(node("c", "a"), shape=(None, None, 3))
    for _ in range(levels):
        inner = {**model, "name": "c", "inbound_nodes": [[["a", 0, 0]], [["c", 0, 0]]]}
        model = graph(inner, shape=(None, None, 3), output_layers=[["c", 1, 0]])
    return model


CASES = {
    "a cycle": (graph(node("b", "c"), node("c", "b")), "nodes must not have a cycle, got c -> b"),
    "a layer on itself": (graph(node("c", "c")), "nodes must not have a cycle, got c -> c"),
    "an unknown layer": (graph(node("c", "x")), "the inputs of 'c' must be calls of layers of nod"),
    "an unknown call": (graph(node("c", ["a", 2**31 - 1, 0])), "got ('a', 2147483647, 0)"),
    "an unknown output": (
        graph(node("c", ["a", 0, 7])),
        "there is no output 7 of layer 'a' In lay",
    ),
    "a huge position": (graph(node("c", ["a", 2**40, 0])), "['a', 1099511627776, 0, {}] is not an"),
    "a negative position": (graph(node("c", ["a", -1, 0])), "['a', -1, 0, {}] is not an output of"),
    "a boolean position": (graph(node("c", ["a", True, 0])), "['a', True, 0, {}] is not an output"),
    "the same name": (graph(node("c", "a"), node("c", "a")), "several layers have the name 'c'"),
    "no name": (graph(with_nodes([], name=None, config={})), "a layer of class ReLU has no name"),
    "a name that is a list": (graph(node([], "a")), "a layer of class ReLU has no name"),
    "nodes that are a number": (graph(with_nodes(3)), "c (ReLU) has no inbound_nodes"),
    "a node that is a number": (graph(with_nodes([3])), "3 is not a call of a layer"),
    "a tensor that is a number": (graph(with_nodes([[3]])), "3 is not an output of a layer"),
    "a node without inputs": (graph(with_nodes([[]])), "[] is not a call of a layer"),
    "a layer without nodes": (graph(with_nodes([])), "c (ReLU) has no inputs"),
    "options that are a number": (
        graph(with_nodes([[["a", 0, 0, 3]]])),
        "is not a call of a layer",
    ),
    "arguments that are a number": (
        graph(with_nodes([{"args": 3, "kwargs": {}}])),
        "{'args': 3, 'kwargs': {}} is not a call of a layer",
    ),
    "a tensor without a history": (
        graph(called_on({"class_name": "x"})),
        "c (ReLU): {'class_name': 'x'} is not an output of a layer",
    ),
    "a history that is too short": (
        graph(called_on(tensor("a", 0))),
        "is not an output of a layer",
    ),
    "nested structures": (graph(called_on([[tensor("a", 0, 0)]])), "is not an output of a layer"),
    "several arguments": (
        graph(called_on(tensor("a", 0, 0), tensor("a", 0, 0), module="keras.layers")),
        "c (ReLU) is called with 2 arguments; only one is supported, which may be a list",
    ),
    "no arguments": (graph(called_on()), "c (ReLU) is called with 0 arguments"),
    "two inputs of a layer with one": (
        graph(node("c", "a", "a")),
        "got ((4,), (4,)) In layer 'c' of Functional 'graph', called on 'a' and 'a'.",
    ),
    "an output that is missing": (
        graph(node("c", "a"), outputs=("d",)),
        "outputs must be calls of layers of nodes, got 'd'",
    ),
    "no outputs": (
        graph(node("c", "a"), outputs=()),
        "output_layers must be outputs of layers, at least one, got []",
    ),
    "inputs that are a number": (
        graph(node("c", "a"), input_layers=3),
        "input_layers must be outp",
    ),
    "an input that is not one": (
        graph(node("c", "a"), input_layers=[["c", 0, 0]]),
        "inputs must be input layers of nodes, got 'c'",
    ),
    "the same input twice": (
        graph(node("c", "a"), input_layers=[["a", 0, 0]] * 2),
        "inputs must differ, got ('a', 'a')",
    ),
    "an input that is not listed": (
        graph({**layer("InputLayer", "b", batch_shape=[None, 4]), **NO_NODES}, node("c", "b")),
        "inputs must include every input that the outputs depend on; 'b', InputLayer(shape=(4,)",
    ),
    "an input without a shape": (
        graph({**layer("InputLayer", "b"), **NO_NODES}, node("c", "a")),
        "b (InputLayer): the input has no shape with a batch axis",
    ),
    "a layer that is not used": (
        graph(node("c", "a"), node("d", "c")),
        "outputs must depend on all nodes, they do not on call 0 of 'd'",
    ),
    "a call in training mode": (
        graph(node("c", "a", training=True)),
        "c (ReLU) is called with {'training': True}, which is not supported",
    ),
    "training that is a number": (
        graph(node("c", "a", training=3)),
        "is called with {'training': 3",
    ),
    "an unsupported keyword": (
        graph(node("c", "a", axis=3)),
        "is called with {'axis': 3}, which is",
    ),
    "a mask": (
        graph(node("c", "a", mask=["a", 0, 0])),
        "is called with {'mask': ['a', 0, 0]}, whi",
    ),
    "an unsupported operation": (
        graph(called_on(tensor("a", 0, 0), 2.0, module="keras.src.ops.numpy", class_name="Power")),
        "c (Power): the operation is not supported; only Add, Divide, Maximum, Minimum, Multiply, ",
    ),
    "a division by zero": (
        graph(called_on(tensor("a", 0, 0), 0.0, module="keras.src.ops.numpy", class_name="Divide")),
        "c (Divide): the operation is not supported",
    ),
    "an operation on infinity": (
        graph(called_on(tensor("a", 0, 0), float("inf"), class_name="Add")),
        "c (Add): the operation is not supported",
    ),
    "a hundred thousand calls": (
        graph(node("c", "a", calls=10**5)),
        "graph (Functional): there are more than 6000 calls of layers, 100000",
    ),
    "a hundred thousand inputs": (
        graph(node("c", *["a"] * 10**5, kind="Add")),
        "there are more than 6000 calls of layers and inputs of calls, 100002, including those of",
    ),
    "a hundred thousand outputs": (
        graph(node("c", "a"), outputs=["c"] * 10**5),
        "there are more than 6000 calls of layers and inputs of calls, 100002, including those of",
    ),
    "calls of models that call models": (
        nested(16),
        "there are more than 6000 calls of layers and inputs of calls, 6145, including those of",
    ),
}


@pytest.mark.parametrize(("config", "message"), CASES.values(), ids=CASES)
def test_malicious_graphs_raise_one_error(config, message) -> None:
    assert_refused(config, message)


def test_layers_are_read_in_any_order() -> None:
    config = graph(node("c", "b", "a", kind="Add"), node("b", "a"))
    nodes = [
        ("a", InputLayer((4,), "float32")),
        ("b", layers.ReLU(), ["a"]),
        ("c", layers.Add(), [("b", "a")]),
    ]
    assert from_config(config) == Functional("a", "c", name="graph", nodes=nodes)
