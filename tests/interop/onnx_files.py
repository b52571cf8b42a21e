"""Models saved as ONNX files and run by onnxruntime."""

import jax
import numpy as np
import onnx
import onnxruntime

from jaxlayers._structure import flatten
from jaxlayers.interop.onnx import save

# Relative to the largest output: sums of float32 numbers, in another order than XLA's.
TOLERANCE = 1e-5


def session_of(path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def saved(path, model, params, state, **options) -> onnx.ModelProto:
    """Saves a model and returns the file, which the checker of onnx accepts."""
    save(path, model, params, state, **options)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def op_types(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def assert_close(actual, expected, name: str = "") -> None:
    """Compares the first examples of an output with those of the model."""
    expected = np.asarray(expected, np.float64)
    assert actual.shape[1:] == expected.shape[1:], name
    error = np.abs(actual - expected[: len(actual)]).max()
    assert error <= TOLERANCE * np.abs(expected).max(), f"{name}: an error of {error:.1e}"


def assert_predicts(path, model, params, state, x, **options) -> onnx.ModelProto:
    """Saves a model, and compares its outputs with those of the file for two batch sizes.

    Args:
        path: The file to write.
        model: The model.
        params: Its params.
        state: Its state.
        x: Its inputs, at least two examples: an array, or a tuple or dictionary of them.
        options: Options of `save`.
    """
    proto = saved(path, model, params, state, **options)
    session = session_of(path)
    names = [given.name for given in session.get_inputs()]
    outputs = [output.name for output in session.get_outputs()]
    expected, _ = jax.jit(model.apply)(params, state, x)
    for count in (1, len(flatten(x)[0])):
        given = dict(zip(names, (array[:count] for array in flatten(x)), strict=True))
        actual = session.run(outputs, given)
        for name, a, e in zip(outputs, actual, flatten(expected), strict=True):
            assert len(a) == count
            assert_close(a, e, name)
    return proto


def inputs_of(model, count: int = 3):
    """Returns examples for each input of a model, in the form of its shapes."""
    rng = np.random.default_rng(0)

    def array(shape):
        return rng.standard_normal((count, *shape)).astype(np.float32)

    return jax.tree.map(array, model.input_shape, is_leaf=is_shape)


def is_shape(value) -> bool:
    return isinstance(value, tuple) and not any(isinstance(v, tuple) for v in value)
