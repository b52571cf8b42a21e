"""Malicious configs raise one error, in bounded time and memory."""

import json
import random
import time
import tracemalloc

import pytest

from jaxlayers.interop.keras import from_config, serialize
from jaxlayers.interop.keras.serialization import parse
from jaxlayers.interop.keras.weights import abstract_init
from tests.interop.fuzzing import damaged_json
from tests.interop.test_serialization import RandomModels


def dense(**config):
    return {"class_name": "Dense", "config": {"name": "dense", "units": 3} | config}


def model(*entries, name="model", **others):
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(entries)}, **others}


def extension(wrappers=(), **arguments):
    return {"jaxlayers": {"wrappers": list(wrappers), "arguments": arguments}}


def nested(levels):
    entry = dense()
    for _ in range(levels):
        entry = model(entry, jaxlayers={})
    return entry


def lists(levels):
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


NAN, INFINITY = float("nan"), float("inf")

CASES = {
    "models inside models": (nested(10_000), "models are nested too deeply, more than 16 levels"),
    "lists inside lists": (model(dense(units=lists(10_000))), "nested too deeply"),
    "a list as a model": (lists(10_000), "is not the config of a layer"),
    "objects inside objects": (
        model(dense(kernel_initializer=nested(10_000))),
        "dense (Dense): kernel_initializer: initializer 'Sequential' is not one of Keras's",
    ),
    "no layers": (
        model(),
        "model (Sequential): Sequential: layers must have at least one layer, got ()",
    ),
    "layers are missing": (
        {"class_name": "Sequential", "config": {}},
        "the config of a Sequential must have a list of layers",
    ),
    "a layer is a number": (model(3), "3 is not the config of a layer"),
    "the units are missing": (
        model({"class_name": "Dense", "config": {"name": "d"}}),
        "d (Dense): units is missing",
    ),
    "many units": (
        model(dense(units=10**12)),
        "dense (Dense): units: must be a finite number, an integer below 2**31, got 1000000000000",
    ),
    "more units": (model(dense(units=10**6000)), "got an integer of 19932 bits"),
    "units that are not an integer": (
        model(dense(units=1e300)),
        "units must be a positive integer",
    ),
    "NaN": (model(dense(units=NAN)), "units: must be a finite number, an integer below 2**31, "),
    "infinity": (
        model(dense(kernel_initializer={"class_name": "Constant", "config": {"value": INFINITY}})),
        "kernel_initializer: must be a finite number, an integer below 2**31, got inf",
    ),
    "a large shape": (
        model({"class_name": "InputLayer", "config": {"batch_shape": [None, 2**40]}}, dense()),
        "model (Sequential): must be a finite number, an integer below 2**31, got 1099511627776",
    ),
    "an escape sequence in the name of a layer": (
        model(dense(name="\x1b[2J")),
        r"\x1b[2J (Dense): the name has characters that cannot be printed",
    ),
    "an escape sequence in the name of a model": (
        model(dense(), name="\x1b[2J"),
        r"the name '\x1b[2J' has char",
    ),
    "an escape sequence in the name of a class": (
        model({"class_name": "\x1b[2J", "config": {}}),
        r"layer_0 (\x1b[2J): not supported, only ELU, Activation",
    ),
    "an escape sequence in the name of an argument": (
        model(dense(**{"\x1b[2J": 3})),
        r"dense (Dense): \x1b[2J=3 is not supported",
    ),
    "an escape sequence in the name in the extension": (
        model(dense(), **extension(name="\x1b")),
        r"model (Sequential): name='\x1b' is not an argument of Sequential",
    ),
    "layers of the same name": (model(dense(), dense()), "dense (Dense): several layers have"),
    "a million layers": (model(*[dense()] * 10**6), "there are more than 3000 layers, 1000000"),
    "a million layers in a thousand models": (
        model(*[model(*[dense(name=str(i)) for i in range(1000)])] * 1000),
        "there are more than 3000 layers, or too many in nested models",
    ),
    "many wrappers": (
        model(dense(), **extension(["Frozen"] * 10**5)),
        "wrappers must be a list of at most 8 of Frozen, InBfloat16, InferenceMode, got ['Frozen'",
    ),
    "an unknown wrapper": (
        model(dense(), **extension(["Sequential"])),
        "InferenceMode, got ['Sequential']",
    ),
    "a wrapper that is not a string": (model(dense(), **extension([["Frozen"]])), "got [['Frozen"),
    "wrappers that are not a list": (model(dense(), jaxlayers={"wrappers": 3}), "got 3"),
    "another key of the extension": (
        model(dense(), jaxlayers={"in_bfloat16": 1}),
        "jaxlayers must have only wrappers and arguments, got {'in_bfloat16': 1}",
    ),
    "layers as an argument of the extension": (
        model(dense(), **extension(layers=[])),
        "arguments may be input_shape, name, fuse, got {'layers': []}",
    ),
    "fuse that is not a boolean": (
        model(dense(), **extension(fuse="no")),
        "fuse='no' is not an argument",
    ),
    "a class of another module": (
        model(
            dense() | extension(bias_initializer={"class_name": "class", "module": "os",
                                              "config": "system"}),
            jaxlayers={},
        ),
        "bias_initializer: class of 'os' is not one of Keras's",
    ),
    "a function of another module": (
        model(dense(activation={"class_name": "function", "module": "os", "config": "system"})),
        "dense (Dense): activation: must be the name of one of Keras's activations, got 'system'",
    ),
    "a private function": (
        model(dense(activation={"class_name": "function", "module": "jax.nn", "config": "_x"})),
        "dense (Dense): activation: must be the name of one of Keras's activations, got '_x'",
    ),
    "a lambda": (
        model(dense(activation={"class_name": "__lambda__", "config": {"value": "4wEAAAA="}})),
        "dense (Dense): activation: contains code (a lambda or a Lambda layer), which is never",
    ),
    "a lambda as Keras 3 writes it": (
        model(dense(activation={"value": ["4wEAAAA=", None, None]})),
        "dense (Dense): activation: contains code (a lambda or a Lambda layer), which is never",
    ),
    "a Lambda layer as an activation": (
        model(dense(activation={"class_name": "Lambda", "config": {"function": ["4wEAAAA="]}})),
        "dense (Dense): activation: contains code (a lambda or a Lambda layer), which is never",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("config", "message"), CASES.values(), ids=CASES)
def test_malicious_configs_raise_one_error(config, message) -> None:
    assert_refused(config, message)


def assert_refused(config, message) -> None:
    """Asserts that a config is refused with one error, in bounded time and memory."""
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(ValueError) as error_info:
        from_config(config)
    seconds = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message_received = str(error_info.value)
    assert message_received.startswith("from_config: config ")
    assert message in message_received
    assert message_received.replace("\n", "").isprintable() and len(message_received) < 20_000
    assert seconds < 10 and peak < 2**24


def test_models_of_huge_arrays_allocate_nothing_before_init() -> None:
    size = 2**31 - 1
    shape = {"class_name": "InputLayer", "config": {"batch_shape": [None, size, size]}}
    start = time.process_time()
    assert from_config(model(shape, dense(units=size))).output_shape() == (size, size)
    assert time.process_time() - start < 1


def test_the_shapes_of_huge_weights_are_computed_without_an_initializer() -> None:
    stft = {"class_name": "STFT", "config": {"window": "hann"}}
    shape = {"class_name": "InputLayer", "config": {"batch_shape": [None, 2**15, 2**15]}}
    window = dense(kernel_initializer=stft, units=2**15)
    start = time.process_time()
    params, state = abstract_init(from_config(model(shape, window)), (2**15, 2**15))
    assert params["dense"]["kernel"].shape == (2**15, 2**15) and state == {}
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "[-Infinity]", "[" * 10_000, '{"a": ', "9" * 5000]
)
def test_text_that_is_not_json_is_refused(text) -> None:
    with pytest.raises(ValueError, match="contains a config that is not JSON"):
        parse(text)


def test_damaged_configs_are_read_or_refused() -> None:
    refused = 0
    for seed in range(300):
        random_models, rng = RandomModels(seed), random.Random(seed)
        instance = random_models.choose(
            random_models.model,
            random_models.model_of_vectors,
            random_models.graph,
            lambda m=random_models: m.layer(2),
        )()
        config = json.loads(damaged_json(rng, json.dumps(serialize(instance)).encode()))
        try:
            assert repr(from_config(config))
        except ValueError as error:
            refused += 1
            assert str(error).startswith("from_config: config ")
    assert 100 < refused < 300
