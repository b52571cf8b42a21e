"""Exported models: their content, and their outputs compared with those of the models."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlayers
from jaxlayers import layers
from jaxlayers.layers import Conv2D, Conv2DTranspose, InBfloat16, UpSampling2D
from jaxlayers.models import dcgan
from tests.layers.test_contract import every_layer

NCHW = "channels_first"

# At least one convolution for each algorithm on the CPU.
CONVOLUTIONS = {
    "one tap": (Conv2D(3, 1, strides=2), (5, 4, 2)),
    "one filter": (Conv2D(1, 3, padding="same"), (6, 5, 4)),
    "one channel": (Conv2D(4, 3, strides=2), (9, 8, 1)),
    "large padding": (Conv2D(6, 5, padding="same"), (4, 4, 4)),
    "large padding in a row": (Conv2D(6, (5, 3), padding="same"), (1, 4, 4)),
    "large padding with dilation": (Conv2D(4, 3, padding="same", dilation_rate=2), (4, 3, 2)),
    "few positions": (Conv2D(6, 3), (5, 5, 4)),
    "odd channels": (Conv2D(32, 3, padding="same"), (9, 9, 3)),
    "many positions": (Conv2D(6, 3, strides=(1, 2), padding="same"), (16, 17, 4)),
    "a window larger than the image": (Conv2D(2, (9, 3), padding="same"), (2, 60, 2)),
    "groups": (Conv2D(8, 3, groups=2, padding="same"), (9, 8, 4)),
    "groups of one channel": (Conv2D(8, 3, groups=4, dilation_rate=2), (9, 8, 4)),
    "groups with strides": (Conv2D(4, 3, strides=2, groups=4), (9, 8, 4)),
    "channels first": (Conv2D(6, 5, padding="same", data_format=NCHW), (4, 4, 4)),
    "transposed": (Conv2DTranspose(4, 5, padding="same"), (17, 16, 3)),
    "transposed, large padding": (Conv2DTranspose(4, 5, padding="same"), (5, 5, 3)),
    "transposed with strides": (Conv2DTranspose(4, 5, 2, padding="same"), (8, 9, 3)),
    "transposed, few positions": (Conv2DTranspose(4, 4, 2), (3, 3, 3)),
    "transposed, strides larger than the kernel": (
        Conv2DTranspose(4, 2, 3, output_padding=1),
        (9, 8, 3),
    ),
    "transposed, one channel": (Conv2DTranspose(1, 3, padding="same", data_format=NCHW), (2, 9, 8)),
    "transposed with dilation": (Conv2DTranspose(4, 3, dilation_rate=2), (9, 8, 3)),
    "upsampled": (jaxlayers.Sequential([UpSampling2D(), Conv2D(4, 5, padding="same")]), (7, 7, 4)),
    "upsampled, few positions": (
        jaxlayers.Sequential([UpSampling2D(), Conv2DTranspose(4, 5, padding="same")]),
        (3, 3, 2),
    ),
    "upsampled, groups": (
        jaxlayers.Sequential(
            [UpSampling2D((2, 3), NCHW), Conv2D(4, 3, groups=2, data_format=NCHW)]
        ),
        (2, 4, 3),
    ),
}

each_convolution = pytest.mark.parametrize(
    ("layer", "shape"), CONVOLUTIONS.values(), ids=CONVOLUTIONS
)


def random_weights(layer, shape):
    """Returns params and state without zeros, from NumPy to avoid compiling JAX's generators."""
    rng = np.random.default_rng(0)

    def weight(shapes_and_dtypes):
        if shapes_and_dtypes.ndim < 2:
            return rng.uniform(0.5, 1.5, shapes_and_dtypes.shape).astype(np.float32)
        limit = (shapes_and_dtypes.shape[-1] / shapes_and_dtypes.size) ** 0.5
        return rng.uniform(-limit, limit, shapes_and_dtypes.shape).astype(np.float32)

    shapes_and_dtypes = jax.eval_shape(lambda key: layer.init(key, shape), jax.random.key(0))
    return jax.tree.map(weight, shapes_and_dtypes)


def export(folder, layer, shape, **options):
    """Exports a layer with random weights; returns params, state and the path."""
    params, state = random_weights(layer, shape)
    path = folder / "model.bin"
    jaxlayers.export(layer, params, state, path, input_shape=shape, **options)
    return params, state, path


def examples(count, shape):
    return np.random.default_rng(count).normal(size=(count, *shape)).astype(np.float32)


def assert_same(loaded, x, expected, *counts):
    """Checks that the outputs of the first examples do not depend on the batch size."""
    for count in counts:
        y = loaded(x[:count])
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y, expected[:count], rtol=1e-5, atol=1e-5)


@dataclasses.dataclass
class Network:
    model: jaxlayers.Sequential
    path: Path
    x: np.ndarray
    y: jax.Array


@pytest.fixture(scope="module", params=["generator", "discriminator"])
def network(request, tmp_path_factory) -> Network:
    model = getattr(dcgan, request.param)(width=8)
    folder = tmp_path_factory.mktemp(request.param)
    params, state, path = export(folder, model, model.input_shape)
    x = examples(65, model.input_shape)
    y, _ = jax.jit(model.apply)(params, state, x)
    assert np.ptp(y) > 0.01  # a thousand times the tolerance
    return Network(model, path, x, y)


@every_layer
def test_a_loaded_file_computes_the_outputs_of_the_layer(layer, shape, tmp_path) -> None:
    *weights, path = export(tmp_path, layer, shape)
    x = examples(4, shape)
    expected, _ = jax.jit(layer.apply)(*weights, x)
    assert_same(jaxlayers.load_exported(path), x, expected, 4)


@each_convolution
def test_convolutions_are_correct_for_one_image_and_for_many(layer, shape, tmp_path) -> None:
    *weights, path = export(tmp_path, layer, shape)
    x = examples(70, shape)
    expected, _ = jax.jit(layer.apply)(*weights, x)
    assert_same(jaxlayers.load_exported(path), x, expected, 1, 70)


def test_the_dcgan_is_correct_for_several_batch_sizes(network) -> None:
    assert_same(jaxlayers.load_exported(network.path), network.x, network.y, 1, 3, 65)


def test_a_large_batch_is_correct(tmp_path) -> None:
    layer, shape = CONVOLUTIONS["large padding"]
    *weights, path = export(tmp_path, layer, shape)
    x = examples(5000, shape)
    expected, _ = jax.jit(layer.apply)(*weights, x)
    assert_same(jaxlayers.load_exported(path), x, expected, 5000)


@pytest.mark.parametrize("platforms", [("cuda", "cpu", "tpu"), ("cuda", "tpu", "cpu")])
def test_the_order_of_platforms_does_not_change_outputs(network, platforms) -> None:
    loaded = jaxlayers.load_exported(network.path)
    # JAX runs the code at the position of the CPU among the platforms.
    reordered = dataclasses.replace(loaded.exported, platforms=platforms)
    assert_same(dataclasses.replace(loaded, exported=reordered), network.x, network.y, 5)


@pytest.mark.parametrize("platform", ["cuda", "tpu", "rocm"])
def test_accelerators_use_xla_convolutions_and_no_algorithm_of_the_cpu(platform, tmp_path) -> None:
    # On the CPU, none of these five is computed by a plain convolution of the image.
    model = jaxlayers.Sequential(
        [
            Conv2D(6, 5, padding="same"),
            Conv2D(6, 3, groups=6, padding="same"),
            Conv2DTranspose(4, 2, 2),
            Conv2D(4, 1),
            Conv2D(1, 3),
        ],
        input_shape=(4, 4, 4),
    )
    *_, path = export(tmp_path, model, model.input_shape, platforms=[platform])
    text = jaxlayers.load_exported(path).exported.mlir_module()
    assert text.count("stablehlo.convolution") == 5
    for operation in ("dot_general", "optimization_barrier", "stablehlo.slice", "stablehlo.case"):
        assert operation not in text
    *_, path = export(tmp_path, model, model.input_shape, platforms=["cpu"])
    assert "dot_general" in jaxlayers.load_exported(path).exported.mlir_module()


def test_a_file_has_only_stablehlo_operations(network) -> None:
    calls = jaxlayers.load_exported(network.path).exported.mlir_module().split("custom_call @")[1:]
    # The check for an empty batch, which JAX removes before compilation.
    assert {call.partition("(")[0] for call in calls} <= {"shape_assertion"}


WITHOUT_JAXLAYERS = """
import sys
sys.modules["jaxlayers"] = None
import jax, numpy as np
from jax import export
with open(sys.argv[1], "rb") as file:
    loaded = export.deserialize(bytearray(file.read()))
y = loaded.call(np.load(sys.argv[2]))
np.save(sys.argv[3], y)
packages = {name.partition(".")[0] for name in sys.modules}
print(*sorted(packages & {"jaxlayers", "optax", "tensorflow"} - {"jaxlayers"}))
"""


def test_a_file_runs_without_this_library(network, tmp_path) -> None:
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, network.x[:2])
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_JAXLAYERS, network.path, x, y],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (process.returncode, process.stdout.strip(), process.stderr) == (0, "", "")
    np.testing.assert_allclose(np.load(y), network.y[:2], rtol=1e-5, atol=1e-5)


def test_exported_files_compute_inference(tmp_path) -> None:
    model = jaxlayers.Sequential([layers.BatchNormalization(), layers.Dropout(0.5)], (3,))
    params, state, path = export(tmp_path, model, (3,))
    x = examples(8, (3,))
    expected, _ = model.apply(params, state, x, training=False)
    assert_same(jaxlayers.load_exported(path), x, expected, 8)


def test_a_model_in_bfloat16_has_float32_inputs_and_outputs(tmp_path) -> None:
    model = InBfloat16(Conv2D(4, 3, padding="same"))
    *weights, path = export(tmp_path, model, (6, 5, 3))
    x = examples(3, (6, 5, 3))
    y = jaxlayers.load_exported(path)(x)
    assert y.dtype == jnp.float32
    # bfloat16 has 8 bits, and intermediate values may be rounded differently.
    np.testing.assert_allclose(y, model.apply(*weights, x)[0], rtol=2**-7, atol=1e-2)


def test_inputs_may_have_other_dtypes(tmp_path) -> None:
    layer = Conv2D(4, 3)
    *weights, path = export(tmp_path, layer, (5, 4, 2), dtype=jnp.uint8)
    x = np.random.default_rng(0).integers(0, 255, (3, 5, 4, 2), np.uint8)
    expected, _ = layer.apply(*weights, x)
    assert_same(jaxlayers.load_exported(path), x, expected, 3)
    with pytest.raises(ValueError, match=r"must be uint8 of shape .* got float32"):
        jaxlayers.load_exported(path)(x.astype(np.float32))


def test_a_loaded_model_can_be_compiled_and_differentiated(tmp_path) -> None:
    layer = Conv2D(4, 3, strides=2, padding="same", activation="tanh")
    *weights, path = export(tmp_path, layer, (4, 4, 2), vjp_order=1)
    loaded, x = jaxlayers.load_exported(path), examples(4, (4, 4, 2))
    gradient = jax.jit(jax.grad(lambda x: (loaded(x) ** 2).sum()))(x)
    expected = jax.jit(jax.grad(lambda x: (layer.apply(*weights, x)[0] ** 2).sum()))(x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-5)


def test_a_loaded_model_is_printed_without_its_weights(tmp_path) -> None:
    *_, path = export(tmp_path, layers.Dense(2), (3,))
    assert repr(jaxlayers.load_exported(path)) == f"ExportedModel(path={path!r})"


def test_files_are_replaced_atomically(tmp_path, monkeypatch) -> None:
    layer = layers.Dense(2)
    params, state, path = export(tmp_path, layer, (3,))
    before = path.read_bytes()

    def interrupt(self, other):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        jaxlayers.export(layer, params, state, str(path), input_shape=(4, 3))
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]
    assert path.read_bytes() == before


# Errors


@pytest.mark.parametrize(
    ("platforms", "message"),
    [
        (["gpu"], 'got \\[\'gpu\'\\]; a GPU is "cuda" or "rocm"'),
        ("cpu", "in a list or tuple, got 'cpu'"),
        ((), "one or more of 'cpu', 'cuda', 'rocm', 'tpu'"),
        (("cpu", "cpu"), "each once"),
        ((["cpu"],), "one or more of"),
    ],
)
def test_invalid_platforms_are_refused(platforms, message, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        export(tmp_path, layers.Dense(2), (3,), platforms=platforms)
    assert not list(tmp_path.iterdir())


def test_models_without_an_input_shape_require_one(tmp_path) -> None:
    layer = layers.Dense(2)
    params, state = layer.init(jax.random.key(0), (3,))
    with pytest.raises(ValueError, match=r"Dense\(units=2\).*input_shape must be "):
        jaxlayers.export(layer, params, state, tmp_path / "model.bin")


def test_params_of_another_model_are_refused(tmp_path) -> None:
    params, state = layers.Dense(2).init(jax.random.key(0), (3,))
    with pytest.raises(ValueError, match=r"kernel in params must have shape \(4, 2\)"):
        jaxlayers.export(layers.Dense(2), params, state, tmp_path / "m", input_shape=(4,))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 4), np.float32), r"\(batch, 3\) .* got float32 of shape \(2, 4\)"),
        (np.ones((2, 3, 1), np.float32), r"\(batch, 3\) .* got float32 of shape \(2, 3, 1\)"),
        (np.ones((3,), np.float32), r"got float32 of shape \(3,\); for one example pass x\[None\]"),
        (np.ones((), np.float32), r"got float32 of shape \(\)$"),
        (np.ones((2, 3), np.int32), r"must be float32 of shape .* got int32"),
        (np.ones((0, 3), np.float32), r"a batch of at least 1, got float32 of shape \(0, 3\)"),
    ],
)
def test_inputs_of_wrong_shapes_and_dtypes_are_refused(x, message, tmp_path) -> None:
    *_, path = export(tmp_path, layers.Dense(2), (3,))
    with pytest.raises(ValueError, match=message) as error_info:
        jaxlayers.load_exported(path)(x)
    assert str(path) in str(error_info.value)


def test_inputs_that_are_not_arrays_are_refused(tmp_path) -> None:
    *_, path = export(tmp_path, layers.Dense(2), (3,))
    with pytest.raises(TypeError, match=r"model\.bin: x must be an array, got list"):
        jaxlayers.load_exported(path)([[1.0, 2.0, 3.0]])


def test_a_platform_that_was_not_exported_is_refused(tmp_path) -> None:
    model = jaxlayers.Sequential([layers.Dense(2)], (3,), name="scores")
    *_, path = export(tmp_path, model, (3,), platforms=["cuda", "tpu"])
    message = "'scores' was exported for platforms .*'cuda', 'tpu'.* it is used on .*'cpu'"
    with pytest.raises(ValueError, match=message) as error_info:
        jaxlayers.load_exported(path)(examples(2, (3,)))
    assert f"{path} was exported for cuda, tpu." in error_info.value.__notes__


def damaged(content: bytes, damage: str) -> bytes:
    half = len(content) // 2
    return {
        "truncated": content[:half],
        "empty": b"",
        "a bit flipped": content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
        "bytes missing": content[: half - 8] + content[half:],
        "another format": b"PK\x03\x04" + bytes(100),
    }[damage]


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "a bit flipped", "bytes missing", "another format"]
)
def test_damaged_files_are_refused(damage, tmp_path) -> None:
    *_, path = export(tmp_path, layers.Dense(2), (3,))
    path.write_bytes(damaged(path.read_bytes(), damage))
    with pytest.raises(ValueError, match=r"model\.bin: is (damaged|not a complete file)"):
        jaxlayers.load_exported(path)


def test_missing_files_and_folders_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"none\.bin: cannot be read \(No such file"):
        jaxlayers.load_exported(tmp_path / "none.bin")
    with pytest.raises(ValueError, match="cannot be read"):
        jaxlayers.load_exported(tmp_path)


def test_the_error_for_a_file_of_another_version_names_jax(tmp_path, monkeypatch) -> None:
    *_, path = export(tmp_path, layers.Dense(2), (3,))

    def deserialize(content):
        raise NotImplementedError("version 99")

    monkeypatch.setattr(jax.export, "deserialize", deserialize)
    with pytest.raises(ValueError, match=r"model\.bin: jax .* cannot read it \(version 99\)"):
        jaxlayers.load_exported(path)


def test_the_error_without_flatbuffers_names_the_extra(tmp_path, monkeypatch) -> None:
    params, state, path = export(tmp_path, layers.Dense(2), (3,))
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    monkeypatch.delitem(sys.modules, "jax._src.export.serialization")
    with pytest.raises(ImportError, match=r'pip install "jaxlayers\[export\]"'):
        jaxlayers.load_exported(path)
    with pytest.raises(ImportError, match=r'pip install "jaxlayers\[export\]"'):
        jaxlayers.export(layers.Dense(2), params, state, path, input_shape=(3,))
