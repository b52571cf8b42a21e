"""oneDNN's custom calls: what they compute, and where they must not be used.

Its results in random configurations are compared with NumPy in float64. The check that decides
whether it is used is run against a jaxlib that is simulated to have other calls, or none.
"""

import importlib
import json
import os
import subprocess
import sys
import textwrap

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from jaxlayers import config
from jaxlayers.ops.convolution import primitives, xla
from jaxlayers.ops.convolution.cpu.onednn import availability, calls
from jaxlayers.ops.convolution.geometry import Geometry
from tests.ops.convolution.test_primitives import (
    CHOSEN,
    FUNCTIONS,
    Case,
    cases,
    make,
    numpy_forward,
    numpy_input_gradient,
    numpy_kernel_gradient,
    operands,
)

needs_onednn = pytest.mark.skipif(
    bool(availability._obstacle()), reason=f"oneDNN: {availability._obstacle()}"
)
GEOMETRY = Geometry((2, 1), ((1, 2), (0, 1)), (1, 2))
X, KERNEL = jnp.ones((4, 14, 16, 3)), jnp.ones((3, 2, 3, 5))


@pytest.fixture(autouse=True, scope="module")
def no_programs_of_other_modules():
    """Deletes the programs that were compiled with another library, which the others must not use.

    It takes seconds, and all programs of other tests are compiled again; therefore once.
    """
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def default_library(monkeypatch):
    monkeypatch.setattr(config, "_cpu_convolutions", None)
    monkeypatch.delenv("JAXLAYERS_CPU_CONVOLUTIONS", raising=False)


def lowered(x=X, kernel=KERNEL, **options) -> str:
    function = jax.jit(lambda x, kernel: primitives.forward(x, kernel, GEOMETRY), **options)
    return function.lower(x, kernel).as_text()


def assert_agrees_with_numpy_in_float32(case: Case) -> None:
    narrow = Case(case.geometry, *(np.float32(a) for a in (case.x, case.kernel, case.y)))
    spatial, window = case.x.shape[1:-1], case.kernel.shape[:-2]
    exact = Case(case.geometry, *(np.float64(a) for a in (narrow.x, narrow.kernel, narrow.y)))

    @jax.jit
    def results(x, kernel, y):
        return (
            primitives.forward(x, kernel, case.geometry),
            primitives.input_gradient(y, kernel, spatial, case.geometry),
            primitives.kernel_gradient(x, y, window, case.geometry),
        )

    actual = results(narrow.x, narrow.kernel, narrow.y)
    expected = (numpy_forward(exact), numpy_input_gradient(exact), numpy_kernel_gradient(exact))
    for ours, theirs in zip(actual, expected, strict=True):
        # Sums of at most some thousand products of order 1, each rounded to 24 bits.
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@needs_onednn
@settings(max_examples=20)
@given(case=cases())
def test_random_configurations_agree_with_numpy(case) -> None:
    assert_agrees_with_numpy_in_float32(case)


@needs_onednn
@pytest.mark.optimized
@pytest.mark.parametrize("name", CHOSEN)
def test_chosen_shapes_agree_with_numpy_in_float32(name) -> None:
    assert_agrees_with_numpy_in_float32(make(*CHOSEN[name]))


@needs_onednn
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_agree_with_those_of_xla(name) -> None:
    a, b = (operand.astype(jnp.float32) for operand in operands(name))

    def results(module):
        def loss(a, b):
            return jnp.sum(jnp.tanh(FUNCTIONS[name](module)(a, b)) ** 2)

        gradient = jax.grad(loss, (0, 1))
        yield from jax.jit(gradient)(a, b)
        yield from jax.jvp(gradient, (a, b), (a, b))[1]
        yield from jax.grad(lambda a, b: sum(jnp.sum(g**2) for g in gradient(a, b)), (0, 1))(a, b)

    for ours, theirs in zip(results(primitives), results(xla), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.abs(theirs).max())


@needs_onednn
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_batching_agrees_with_that_of_xla(name, axes) -> None:
    inputs = [
        operand.astype(jnp.float32) if axis == 0 else operand[0].astype(jnp.float32)
        for operand, axis in zip(operands(name, (5,)), axes, strict=True)
    ]
    ours = jax.vmap(FUNCTIONS[name](primitives), axes)(*inputs)
    theirs = jax.vmap(FUNCTIONS[name](xla), axes)(*inputs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@needs_onednn
def test_float32_with_static_shapes_is_computed_by_onednn() -> None:
    assert "__onednn$convolution" in lowered()


@needs_onednn
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_dtypes_are_computed_in_float32(dtype) -> None:
    assert "__onednn$convolution" in lowered(X.astype(dtype), KERNEL.astype(dtype))
    y = primitives.forward(X.astype(dtype), KERNEL.astype(dtype), GEOMETRY)
    # Sums of at most 18 ones, exact in every dtype.
    np.testing.assert_array_equal(y, xla.forward(X, KERNEL, GEOMETRY))
    assert y.dtype == dtype


@pytest.mark.parametrize("dtype", ["float64", "int32", "complex64"])
def test_other_dtypes_are_not_computed_by_onednn(dtype) -> None:
    with jax.enable_x64(True):
        assert "onednn" not in lowered(X.astype(dtype), KERNEL.astype(dtype))


def test_empty_arrays_are_not_computed_by_onednn() -> None:
    assert "onednn" not in lowered(X[:0])
    assert not calls.supports(X[:0], KERNEL)


def test_exported_programs_do_not_contain_it() -> None:
    (batch,) = jax.export.symbolic_shape("batch")
    for n in (4, batch):
        x = jax.ShapeDtypeStruct((n, *X.shape[1:]), jnp.float32)

        def function(x):
            return jax.grad(lambda k: jnp.sum(primitives.forward(x, k, GEOMETRY) ** 2))(KERNEL)

        for platforms in (["cpu"], ["cpu", "tpu"]):
            exported = jax.export.export(jax.jit(function), platforms=platforms)(x)
            assert "__onednn$" not in exported.mlir_module()


SHARDED = """
import jax, jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxlayers.ops.convolution import primitives
from jaxlayers.ops.convolution.cpu.onednn import availability
from tests.ops.convolution.test_onednn import GEOMETRY, KERNEL, X

mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
x = jax.device_put(X, NamedSharding(mesh, P("data")))
kernel = jax.device_put(KERNEL, NamedSharding(mesh, P()))
forward = lambda x, kernel: primitives.forward(x, kernel, GEOMETRY)
assert "onednn" not in jax.jit(forward).lower(x, kernel).as_text()
mapped = jax.shard_map(
    forward, mesh=mesh, in_specs=(P("data"), P()), out_specs=P("data")
)
used = "onednn" in jax.jit(mapped).lower(x, kernel).as_text()
assert used == availability.usable("auto"), used
"""


def test_devices_that_xla_divides_a_batch_among_do_not_use_it() -> None:
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2"}
    subprocess.run([sys.executable, "-c", SHARDED], env=environment, check=True)


# The setting.


def test_the_setting_selects_the_library(monkeypatch) -> None:
    assert config.get_cpu_convolutions() == "auto"
    monkeypatch.setenv("JAXLAYERS_CPU_CONVOLUTIONS", "xla")
    assert config.get_cpu_convolutions() == "xla"
    assert "onednn" not in lowered()
    config.cpu_convolutions("auto")
    assert ("onednn" in lowered()) == availability.usable("auto")
    config.cpu_convolutions("xla")
    assert "onednn" not in lowered()


def test_other_settings_are_errors(monkeypatch) -> None:
    with pytest.raises(ValueError, match=r"cpu_convolutions: library must be one of .*got 'mkl'"):
        config.cpu_convolutions("mkl")
    monkeypatch.setenv("JAXLAYERS_CPU_CONVOLUTIONS", "mkl")
    with pytest.raises(ValueError, match="JAXLAYERS_CPU_CONVOLUTIONS must be one of"):
        lowered()


# The check.


@pytest.fixture
def unchecked(monkeypatch, tmp_path):
    """A cache folder without a verdict, and none in memory."""
    monkeypatch.setenv("JAXLAYERS_CACHE", str(tmp_path))
    availability._obstacle.cache_clear()
    jax.clear_caches()
    yield tmp_path
    availability._obstacle.cache_clear()
    jax.clear_caches()


def simulate(monkeypatch, tmp_path, body: str) -> None:
    """Lets the child process run `body` before the check."""
    source = "from jaxlayers.ops.convolution.cpu.onednn import calls, self_check\n"
    source += "AGREES = self_check.AGREES\n"
    indented = textwrap.indent(textwrap.dedent(body), "    ")
    source += f"def main():\n{indented}\n    self_check.main()\n"
    (tmp_path / "simulated_jaxlib.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("simulated_jaxlib", None)
    monkeypatch.setattr(availability, "self_check", importlib.import_module("simulated_jaxlib"))


def changed(path: str, value: str) -> str:
    """A child in which an entry of the window is read with another meaning."""
    return f"""
    written = calls._call
    def call(target, config, *rest):
        if "onednn_conv_config" in config:
            window = config["onednn_conv_config"]["window"]
            window["{path}"] = [{value} for n in window["{path}"]]
        return written(target, config, *rest)
    calls._call = call
    """


SIMULATED = {
    "there is no such call": """
        written = calls._call
        calls._call = lambda target, *rest: written("__removed" + target, *rest)
    """,
    "the process is aborted": "import os; os.abort()",
    "the process ends early": "import os; os._exit(0)",
    "strides are counted from 0": changed("strides", "n + 1"),
    "dilation is counted from 0": changed("window_dilations", "n + 1"),
    "padding has the other sign": changed("pad_left", "-n"),
    "the sides of the padding are exchanged": """
        written = calls._call
        def call(target, config, *rest):
            if "onednn_conv_config" in config:
                window = config["onednn_conv_config"]["window"]
                window["pad_left"], window["pad_right"] = window["pad_right"], window["pad_left"]
            return written(target, config, *rest)
        calls._call = call
    """,
    "a result is wrong in its fourth digit": """
        written = calls._call
        calls._call = lambda *arguments: written(*arguments) * 1.001
    """,
}


@needs_onednn
@pytest.mark.parametrize("name", SIMULATED)
def test_another_jaxlib_means_xlas_own_operations(name, monkeypatch, unchecked) -> None:
    simulate(monkeypatch, unchecked, SIMULATED[name])
    assert "onednn" not in lowered()
    np.testing.assert_allclose(
        primitives.forward(X, KERNEL, GEOMETRY), xla.forward(X, KERNEL, GEOMETRY), rtol=1e-5
    )
    config.cpu_convolutions("onednn")
    with pytest.raises(RuntimeError, match=r"oneDNN cannot be used here: its check failed"):
        lowered()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("sys.platform", "darwin", "this is darwin"),
        ("platform.machine", lambda: "aarch64", "on aarch64"),
        ("jaxlib.version.__version_info__", (0, 11, 0), "tested with jaxlib"),
        ("jaxlib.version.__version_info__", (0, 9, 2), "0.10.0 to below 0.11.0"),
    ],
)
def test_elsewhere_nothing_is_checked(attribute, value, message, monkeypatch, unchecked) -> None:
    monkeypatch.setattr(availability, "_check_in_child", lambda: pytest.fail("checked"))
    owner, name = attribute.rsplit(".", 1)
    modules = {
        "sys": sys,
        "platform": availability.platform,
        "jaxlib.version": availability.jaxlib.version,
    }
    monkeypatch.setattr(modules[owner], name, value)
    assert "onednn" not in lowered()
    config.cpu_convolutions("onednn")
    with pytest.raises(RuntimeError, match=message):
        lowered()


def test_the_verdict_is_kept_in_the_cache_folder(monkeypatch, unchecked) -> None:
    first = availability.usable("auto")
    availability._obstacle.cache_clear()
    monkeypatch.setattr(availability, "_check_in_child", lambda: pytest.fail("checked again"))
    assert availability.usable("auto") == first


@needs_onednn
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"obstacle"', "\0"])
def test_a_damaged_verdict_is_replaced(content, monkeypatch, unchecked) -> None:
    path = availability._verdict_path()
    path.parent.mkdir(parents=True)
    path.write_text(content)
    monkeypatch.setattr(availability, "_check_in_child", lambda: ("checked", True))
    assert availability._obstacle() == "checked"
    assert json.loads(path.read_text())["obstacle"] == "checked"


@needs_onednn
def test_a_check_that_is_killed_is_repeated_by_the_next_process(monkeypatch, unchecked) -> None:
    simulate(monkeypatch, unchecked, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert "exit status -9" in availability._obstacle()
    assert not list(unchecked.rglob("*.json"))


@needs_onednn
def test_a_check_that_could_not_run_is_repeated_by_the_next_process(monkeypatch, unchecked) -> None:
    monkeypatch.setattr(sys, "executable", "/does/not/exist")
    assert "could not be run" in availability._obstacle()
    assert not list(unchecked.rglob("*.json"))


@needs_onednn
def test_a_check_that_does_not_end_is_stopped(monkeypatch, unchecked) -> None:
    simulate(monkeypatch, unchecked, "import time; time.sleep(60)")
    monkeypatch.setattr(availability, "_TIMEOUT", 0.5)
    assert "could not be run" in availability._obstacle()
    assert not availability.usable("auto")


@needs_onednn
def test_a_cache_folder_that_cannot_be_written_only_costs_the_check(monkeypatch, unchecked) -> None:
    (unchecked / "file").touch()
    monkeypatch.setenv("JAXLAYERS_CACHE", str(unchecked / "file"))
    monkeypatch.setattr(availability, "_check_in_child", lambda: ("", True))
    assert availability.usable("auto")
