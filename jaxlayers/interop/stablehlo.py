"""Export of models to StableHLO through `jax.export`; the files run without this library."""

import functools
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export as jax_export

from jaxlayers._any_size import has_any_size
from jaxlayers._files import as_path, write_atomically
from jaxlayers._structure import (
    are_several_shapes,
    flatten,
    flatten_shapes,
    unflatten,
    unflatten_like_shapes,
)
from jaxlayers._text import short_repr
from jaxlayers.composition import Composition
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.arguments import as_tuple, example_shape

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

# A file consists of the data that JAX serializes, its checksum and this signature. JAX does not
# detect truncated or changed weights, and ignores bytes after the end of its data.
_SIGNATURE = b"jaxlayers"
_CHECKSUM_BYTES = 4


def export(
    model: Layer,
    params: Params,
    state: State,
    path: str | os.PathLike[str],
    *,
    platforms: Sequence[str] = ("cpu", "cuda", "tpu"),
    input_shape: Any = None,
    dtype: Any = jnp.float32,
    vjp_order: int = 0,
) -> None:
    """Exports a model with its params to a file that JAX can run without this library.

    The file contains the function from a batch of any size to the outputs of `model.apply` with
    `training=False`, lowered to StableHLO for each of `platforms`. The platforms need not be
    available on this machine. The file is written atomically.

    `load_exported` reads the file. JAX also reads it without jaxlayers (both require the package
    flatbuffers):

        jax.export.deserialize(bytearray(open(path, "rb").read())).call(x)

    JAX guarantees that a jaxlib built up to 6 months after, or up to 3 weeks before, the one that
    wrote the file can run it; later versions may refuse it. To store a model for longer, save its
    params and state, and export it again. The file includes the source file paths that JAX records
    for the operations of the program.

    Args:
        model: Any layer, such as a `Sequential`.
        params: Params as returned by `init`; they become constants of the function.
        state: State as returned by `init`; it becomes constants of the function.
        path: Path of the file; an existing file is replaced.
        platforms: The platforms to export for, any of `"cpu"`, `"cuda"`, `"rocm"` and `"tpu"`.
        input_shape: Shape of one example, a tuple or dictionary of shapes if there are several
            inputs; required if the model was constructed without one, or for any size.
        dtype: Dtype of the inputs.
        vjp_order: Number of times the loaded function can be differentiated with respect to its
            input.

    Raises:
        ValueError: If a platform is unknown, `vjp_order` is negative, no input shape is known, or
            the params are not those of the model for this shape.
        TypeError: If `model` is not a `Layer`, `params` or `state` is not a dictionary, or the
            dtype is unknown.
        ImportError: If flatbuffers is not installed.
        OSError: If the file cannot be written.

    Example:
        >>> from jaxlayers import layers
        >>> dense = layers.Dense(2)
        >>> params, state = dense.init(jax.random.key(0), (3,))
        >>> export(dense, params, state, "dense.bin", input_shape=(3,))
        >>> load_exported("dense.bin")(jnp.ones((5, 3))).shape
        (5, 2)
    """
    path = as_path(path, "export")
    platforms = _checked_platforms(platforms)
    if not isinstance(vjp_order, int) or isinstance(vjp_order, bool) or vjp_order < 0:
        raise ValueError(f"export: vjp_order must be a non-negative integer, got {vjp_order!r}")
    batch = _symbolic_batch(_input_shape(model, input_shape), dtype)
    for name, tree in (("params", params), ("state", state)):
        if not isinstance(tree, Mapping):
            raise TypeError(
                f"export: {name} must be a dictionary, as returned by init, "
                f"got {short_repr(tree)} ({type(tree).__name__})"
            )
    # As NumPy arrays, so that their placement on devices does not matter.
    params, state = jax.device_get((params, state))

    def infer(x: Any) -> Any:
        return model.apply(params, state, x)[0]

    # The name of the function in JAX's error messages.
    infer.__name__ = model.name if isinstance(model, Composition) else type(model).__name__
    _check_weights(infer, batch)
    exported = jax_export.export(jax.jit(infer), platforms=platforms)(batch)
    try:
        content = bytes(exported.serialize(vjp_order=vjp_order))
    except ImportError as error:
        raise _without_flatbuffers() from error
    with write_atomically(path) as file:
        file.write(content + _checksum(content) + _SIGNATURE)


@dataclass(frozen=True)
class ExportedModel:
    """An exported model, a function from a batch of examples to the outputs.

    It works under `jax.jit`. It can be differentiated with respect to `x` as many times as the
    argument `vjp_order` of `export` specified. `jax.vmap` is not supported.

    Args:
        path: Path of the file that the model was read from.
        exported: The deserialized object of JAX, with `platforms`, `in_avals`, `out_avals` and
            `mlir_module()`.
    """

    path: Path
    exported: jax_export.Exported = field(repr=False)  # its repr includes the whole program

    def __call__(self, x: Any) -> Any:
        """Computes the outputs, on the device of `x`.

        Args:
            x: [batch, *input_shape], with a batch size of at least 1 and the dtype that the model
                was exported for; a tuple or dictionary of arrays if the model has several inputs.

        Returns:
            [batch, *output_shape]; a tuple or dictionary of arrays if the model has several
            outputs.

        Raises:
            TypeError: If `x` is not an array, or not as many as the model has inputs.
            ValueError: If an array has another shape or dtype, or the model was not exported for
                the platform.
        """
        given = type(x).__name__
        x = tuple(x) if isinstance(x, list) else x
        arrays: list[Any]
        structure: Any  # its type has no comparison in JAX's annotations
        arrays, structure = jax.tree.flatten(((x,), {}))
        expected = self.exported.in_avals
        if structure != self.exported.in_tree:
            (inputs,), _ = jax.tree.unflatten(self.exported.in_tree, map(_described, expected))
            allowed = "an array" if isinstance(inputs, str) else inputs
            raise TypeError(f"{self.path}: x must be {allowed}, got {given}")
        for array, aval in zip(arrays, expected, strict=True):
            self._check(array, aval)
        if len({array.shape[0] for array in arrays}) > 1:
            raise ValueError(
                f"{self.path}: all inputs must have the same batch size, got arrays of shapes "
                f"{', '.join(str(array.shape) for array in arrays)}"
            )
        try:
            return self._compiled(x)
        except ValueError as error:
            error.add_note(f"{self.path} was exported for {', '.join(self.exported.platforms)}.")
            raise

    def _check(self, x: Any, expected: Any) -> None:
        """Raises an error if an input is not an array of the expected shape and dtype."""
        if not hasattr(x, "ndim"):
            raise TypeError(f"{self.path}: x must be an array, got {type(x).__name__}")
        example = tuple(expected.shape[1:])
        dtype = jax.dtypes.canonicalize_dtype(x.dtype)
        if x.ndim == 0 or x.shape[1:] != example or x.shape[0] == 0 or dtype != expected.dtype:
            hint = "; for one example pass x[None]" if x.shape == example else ""
            raise ValueError(
                f"{self.path}: x must be {_described(expected)} with a batch of at least 1, "
                f"got {x.dtype} of shape {x.shape}{hint}"
            )

    @functools.cached_property
    def _compiled(self) -> Callable[[Any], Any]:
        call: Callable[[Any], Any] = jax.jit(self.exported.call)
        return call


def load_exported(path: str | os.PathLike[str]) -> ExportedModel:
    """Loads a model that `export` has written.

    Args:
        path: Path of the file. Load only files that you trust, because a model can call anything
            that jaxlib offers.

    Returns:
        A function from x, [batch, *input_shape], to the outputs, [batch, *output_shape].

    Raises:
        ValueError: If the file does not exist, is damaged or has another format, or was written by
            a version of JAX that the installed version cannot read.
        TypeError: If `path` is not a path.
        ImportError: If flatbuffers is not installed.

    Example:
        >>> from jaxlayers.models import dcgan
        >>> generator = dcgan.generator(width=8)
        >>> params, state = generator.init(jax.random.key(0))
        >>> export(generator, params, state, "generator.bin", platforms=["cpu", "tpu"])
        >>> generate = load_exported("generator.bin")
        >>> generate(jnp.zeros((2, 100))).shape, generate.exported.platforms
        ((2, 28, 28, 1), ('cpu', 'tpu'))
    """
    path = as_path(path, "load_exported")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be read ({error.strerror}); path of load_exported must be a file "
            "written by jaxlayers.export"
        ) from error
    end = len(content) - len(_SIGNATURE)
    start = end - _CHECKSUM_BYTES
    if start < 0 or content[end:] != _SIGNATURE:
        raise ValueError(
            f"{path}: is not a complete file; path of load_exported must be a file written by "
            "jaxlayers.export, and this one is truncated or has another format"
        )
    if _checksum(content[:start]) != content[start:end]:
        raise ValueError(f"{path}: is damaged; its checksum does not match its content")
    try:
        return ExportedModel(path, jax_export.deserialize(bytearray(content[:start])))
    except ImportError as error:
        raise _without_flatbuffers() from error
    except Exception as error:  # the checksum matches, so the cause is the version
        raise ValueError(
            f"{path}: jax {jax.__version__} cannot read it ({error}); export the model again "
            "with a version of jax that is closer to this one"
        ) from error


def _checked_platforms(platforms: Sequence[str]) -> tuple[str, ...]:
    found = as_tuple(platforms)
    if not found or any(found.count(p) > 1 or p not in PLATFORMS for p in found):
        hint = '; a GPU is "cuda" or "rocm"' if found and "gpu" in found else ""
        raise ValueError(
            f"export: platforms must be one or more of {', '.join(map(repr, PLATFORMS))}, each "
            f"once, in a list or tuple, got {platforms!r}{hint}"
        )
    return found


def _described(aval: Any) -> str:
    """Describes the shape and the dtype of an input."""
    return f"{aval.dtype} of shape ({', '.join(map(str, ('batch', *aval.shape[1:])))})"


def _input_shape(model: Layer, given: Any) -> Any:
    """Returns the shape of one example; a tuple or dictionary of shapes for several inputs."""
    if not isinstance(model, Layer):
        raise TypeError(
            f"export: model must be a jaxlayers.Layer, got {short_repr(model)} "
            f"({type(model).__name__})"
        )
    shape = model.input_shape if given is None else given
    if shape is None or (given is None and has_any_size(shape)):
        how = "without input_shape" if shape is None else f"for any size, {shape}"
        raise ValueError(
            f"export: {model!r} was constructed {how}: input_shape must be the shape of one "
            f"example, a tuple of integers, got {given}"
        )
    if not are_several_shapes(shape):
        return example_shape(model, shape)
    return unflatten(shape, [example_shape(model, each) for each in flatten(shape)])


def _symbolic_batch(example: Any, dtype: Any) -> Any:
    """Returns the shape and the dtype of a batch of any size, for each input."""
    try:
        canonical = jax.dtypes.canonicalize_dtype(dtype)
        known = jnp.issubdtype(canonical, jnp.number) or jnp.issubdtype(canonical, jnp.bool_)
    except TypeError:
        known = False
    if dtype is None or not known:  # NumPy interprets None as float64
        raise TypeError(
            "export: dtype must be the dtype of the inputs, such as jnp.float32 or 'uint8', "
            f"got {dtype!r}"
        )
    (batch,) = jax_export.symbolic_shape("batch")
    structs = [jax.ShapeDtypeStruct((batch, *s), canonical) for s in flatten_shapes(example)]
    return unflatten_like_shapes(example, structs)


def _check_weights(infer: Any, batch: Any) -> None:
    """Checks that the params and the state are those of the model.

    Raises:
        ValueError: If the model cannot be applied with them to this input shape.
    """
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype), batch)
    example = jax.tree.map(lambda x: x.shape[1:], batch)
    (dtype, *_) = (x.dtype for x in jax.tree.leaves(batch))
    try:
        jax.eval_shape(infer, one)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            "export: params and state must be those that init returns for the model with "
            f"input_shape={example}, and dtype must be one that it accepts, got {dtype}: "
            f"{error}"
        ) from error


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little")


def _without_flatbuffers() -> ImportError:
    return ImportError('exported models need flatbuffers: pip install "jaxlayers[export]"')
