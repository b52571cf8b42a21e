"""Trained models as files that run without this library: StableHLO, through `jax.export`."""

import functools
import os
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax import export as jax_export

from jaxlayers import _fields as fields
from jaxlayers.layer import Layer, Params, State
from jaxlayers.layers.arguments import as_tuple, example_shape

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

# Behind what JAX writes, which knows its own end: the checksum of it and this. JAX itself would
# take a file of which the weights were cut or changed for a whole one.
_SEAL = b"jaxlayers"
_CHECKSUM_BYTES = 4


def export(
    model: Layer,
    params: Params,
    state: State,
    path: str | os.PathLike[str],
    *,
    platforms: Sequence[str] = ("cpu", "cuda", "tpu"),
    input_shape: Sequence[int] | None = None,
    dtype: Any = jnp.float32,
    vjp_order: int = 0,
) -> None:
    """Writes a model with its params to a file that JAX runs without this library.

    The file holds the function from a batch of any size to the outputs, as `model.apply` computes
    them outside training, compiled down to StableHLO for each of `platforms`; none of them has to
    be there. It appears under its name only when it is whole.

    `load_exported` reads it, and so does JAX alone, in a process without jaxlayers (both need
    the package flatbuffers):

        jax.export.deserialize(bytearray(open(path, "rb").read())).call(x)

    JAX promises to run such a file with a jaxlib built up to 6 months after the one that wrote
    it, and up to 3 weeks before; later ones may refuse it. To keep a model for longer, keep
    params and state and export again. Beside the program the file holds, as JAX puts them there,
    the paths of the source files that the program comes from.

    Args:
        model: any layer, such as a `Sequential`.
        params: as `init` makes them; they become constants of the function.
        state: likewise.
        path: the file; one that is there is replaced.
        platforms: where it will run: any of `"cpu"`, `"cuda"`, `"rocm"` and `"tpu"`.
        input_shape: shape of one example; needed where the model was constructed without.
        dtype: of the inputs.
        vjp_order: how often the loaded function can be differentiated by its input.

    Raises:
        ValueError: an argument outside what is said above, or an input shape that the model or
            the params do not fit.
        ImportError: without flatbuffers.
        OSError: the file cannot be written.

    Example:
        >>> from jaxlayers import layers
        >>> dense = layers.Dense(2)
        >>> params, state = dense.init(jax.random.key(0), (3,))
        >>> export(dense, params, state, "dense.bin", input_shape=(3,))
        >>> load_exported("dense.bin")(jnp.ones((5, 3))).shape
        (5, 2)
    """
    fields.Instance(Layer, "a jaxlayers.Layer").check("export", "model", model)
    platforms = _checked_platforms(platforms)
    dtype = _DType().check("export", "dtype", dtype)
    vjp_order = fields.Integer(at_least=0).check("export", "vjp_order", vjp_order)
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"export: path must be in a folder that exists, got {path}")
    example = _input_shape(model, input_shape)
    # As NumPy's arrays, so that it does not matter how they lie on devices.
    params, state = jax.device_get((params, state))

    def infer(x: Array) -> Array:
        return model.apply(params, state, x)[0]

    # What JAX calls it in its messages.
    infer.__name__ = str(getattr(model, "name", type(model).__name__))
    (batch,) = jax_export.symbolic_shape("batch")
    x = jax.ShapeDtypeStruct((batch, *example), dtype)
    exported = jax_export.export(jax.jit(infer), platforms=platforms)(x)
    try:
        content = bytes(exported.serialize(vjp_order=vjp_order))
    except ImportError as error:
        raise _without_flatbuffers() from error
    _write(Path(path), content + _checksum(content) + _SEAL)


@dataclass(frozen=True)
class ExportedModel:
    """A model from a file of `export`: a function from a batch of examples to the outputs.

    It works under `jax.jit`; its derivative by x is there as often as `vjp_order` said when it
    was exported, and `jax.vmap` is not.

    Args:
        path: the file that it comes from.
        exported: what JAX read: its `platforms`, `in_avals`, `out_avals` and `mlir_module()`.
    """

    path: Path
    exported: jax_export.Exported = field(repr=False)  # which prints the whole model

    def __call__(self, x: Array) -> Array:
        """Computes the outputs, on the device where `x` is.

        Args:
            x: [batch, *input_shape], of the dtype for which the model was exported; a batch of
                at least one.

        Returns:
            [batch, *output_shape].

        Raises:
            TypeError: no array.
            ValueError: an array of another shape or dtype, or a platform for which the model was
                not exported.
        """
        (expected,) = self.exported.in_avals
        if not hasattr(x, "ndim"):
            raise TypeError(f"{self.path}: x must be an array, got {type(x).__name__}")
        example = tuple(expected.shape[1:])
        dtype = jax.dtypes.canonicalize_dtype(x.dtype)
        if x.ndim == 0 or x.shape[1:] != example or x.shape[0] == 0 or dtype != expected.dtype:
            hint = "; for one example pass x[None]" if x.shape == example else ""
            raise ValueError(
                f"{self.path}: x must be {expected.dtype} of shape "
                f"({', '.join(map(str, ('batch', *example)))}) with a batch of at least 1, "
                f"got {x.dtype} of shape {x.shape}{hint}"
            )
        try:
            return self._compiled(x)
        except ValueError as error:
            error.add_note(f"{self.path} was exported for {', '.join(self.exported.platforms)}.")
            raise

    @functools.cached_property
    def _compiled(self) -> Any:
        return jax.jit(self.exported.call)


def load_exported(path: str | os.PathLike[str]) -> ExportedModel:
    """Reads a model that `export` wrote.

    Args:
        path: the file. When the model runs it can call whatever jaxlib offers: it has to come
            from someone you trust.

    Returns:
        A function from x, [batch, *input_shape], to the outputs, [batch, *output_shape].

    Raises:
        ValueError: there is no such file, it is damaged or another kind of file, or it is of a
            version of JAX that this one cannot read.
        ImportError: without flatbuffers.

    Example:
        >>> from jaxlayers.models import dcgan
        >>> generator = dcgan.generator(width=8)
        >>> params, state = generator.init(jax.random.key(0))
        >>> export(generator, params, state, "generator.bin", platforms=["cpu", "tpu"])
        >>> generate = load_exported("generator.bin")
        >>> generate(jnp.zeros((2, 100))).shape, generate.exported.platforms
        ((2, 28, 28, 1), ('cpu', 'tpu'))
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    end = len(content) - len(_SEAL)
    start = end - _CHECKSUM_BYTES
    if start < 0 or content[end:] != _SEAL:
        raise ValueError(
            f"{path}: is not a whole file of jaxlayers.export; its end is missing, or it is "
            "another kind of file"
        )
    if _checksum(content[:start]) != content[start:end]:
        raise ValueError(f"{path}: is damaged; its checksum is not that of its content")
    try:
        return ExportedModel(path, jax_export.deserialize(bytearray(content[:start])))
    except ImportError as error:
        raise _without_flatbuffers() from error
    except Exception as error:  # the checksum is right, so that it is a matter of versions
        raise ValueError(
            f"{path}: jax {jax.__version__} cannot read it ({error}); export the model again "
            "with a version of jax that is closer to this one"
        ) from error


class _DType(fields.Field[Any, Any]):
    """The dtype of an array, as JAX has it."""

    allowed = "a dtype of numbers, such as jnp.float32"

    def convert(self, value: Any) -> Any:
        dtype = jax.dtypes.canonicalize_dtype(value)
        if value is None or not (
            jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.bool_)
        ):
            raise ValueError
        return dtype


def _checked_platforms(platforms: Sequence[str]) -> tuple[str, ...]:
    found = as_tuple(platforms)
    if not found or any(found.count(p) > 1 or p not in PLATFORMS for p in found):
        hint = '; a GPU is "cuda" or "rocm"' if found and "gpu" in found else ""
        raise ValueError(
            f"export: platforms must be one or more of {', '.join(map(repr, PLATFORMS))}, each "
            f"once, in a list or tuple, got {platforms!r}{hint}"
        )
    return found


def _input_shape(model: Layer, given: Sequence[int] | None) -> tuple[int, ...]:
    shape = getattr(model, "input_shape", None) if given is None else given
    if shape is None:
        raise ValueError(
            f"export: input_shape must be the shape of one example where {model!r} was "
            "constructed without, got None"
        )
    return example_shape(model, shape)


def _write(path: Path, content: bytes) -> None:
    # In the same folder, because a rename is atomic only within one file system.
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little")


def _without_flatbuffers() -> ImportError:
    return ImportError('exported models need flatbuffers: pip install "jaxlayers[export]"')
