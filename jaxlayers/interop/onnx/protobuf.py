"""The protocol buffer of an ONNX graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlayers.interop.onnx.graph import Node
from jaxlayers.interop.onnx.tensor import Tensor

# Old enough for other engines and for onnxruntime 1.15 of 2023, the oldest that was tested. Later
# opsets have Gelu (20) and RMSNormalization (23), which elementary operations compute as well. By
# default, onnx writes its newest version of the format, which older runtimes refuse; that of opset
# 18 is 8.
OPSET = 18
IR_VERSION = 8

# Protocol buffers are limited to 2 GiB; some of it is left for what is not weights.
MAX_BYTES = 2**31 - 2**26


def serialize(
    name: str,
    nodes: Sequence[Node],
    constants: Mapping[str, np.ndarray],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
) -> bytes:
    """Returns the content of an ONNX file.

    Args:
        name: Name of the graph.
        nodes: The operations, in an order in which they can be computed.
        constants: The constants by name.
        inputs: The inputs of the graph.
        outputs: The outputs of the graph.

    Raises:
        ImportError: If onnx is not installed.
    """
    try:
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise ImportError(
            'ONNX files are written with onnx: pip install "jaxlayers[onnx]"'
        ) from error

    def attribute(value: Any) -> Any:
        return helper.np_dtype_to_tensor_dtype(value) if isinstance(value, np.dtype) else value

    def described(tensor: Tensor) -> Any:
        dtype = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        return helper.make_tensor_value_info(tensor.name, dtype, ["batch", *tensor.shape])

    graph = helper.make_graph(
        [
            helper.make_node(
                node.op_type,
                node.inputs,
                node.outputs,
                node.name,
                **{key: attribute(value) for key, value in node.attributes.items()},
            )
            for node in nodes
        ],
        name,
        list(map(described, inputs)),
        list(map(described, outputs)),
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    model = helper.make_model(
        graph,
        producer_name="jaxlayers",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    content: bytes = model.SerializeToString()
    return content
