"""The benchmarks can be imported, and models are the same in all libraries that are installed."""

import importlib
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import Functional, Input, layers

MODULES = sorted(path.stem for path in (Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("__")])
def test_benchmarks_can_be_imported(name) -> None:
    for library in ("torch", "flax", "equinox"):
        if name.endswith(library):
            pytest.importorskip(library)
    importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("library", ["on_lax", "in_keras", "in_flax", "in_equinox"])
def test_the_dcgan_of_every_library_has_the_same_number_of_parameters(library) -> None:
    pytest.importorskip(library.removeprefix("in_") if library.startswith("in_") else "jax")
    module = importlib.import_module(f"benchmarks.dcgan_{library}")
    for model, expected in ((module.generator(), 2_368_705), (module.discriminator(), 4_311_553)):
        params, _ = jax.eval_shape(model.init, jax.random.key(0))
        assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == expected


def every_layer() -> Functional:
    """A model of all layers of the models that are measured, with odd sizes.

    For even sizes and strides of 2, PyTorch pads another side.
    """
    image = Input((13, 15, 3))
    x = layers.Normalization()(layers.Rescaling(2.0, 0.5)(image))
    x = layers.ZeroPadding2D(3)(x)
    x = layers.Conv2D(8, 7, strides=2, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(epsilon=0.1)(x))
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    y = layers.DepthwiseConv2D(3, padding="same", activation="silu")(x)
    weights = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(y))
    y = layers.Multiply()([y, layers.Conv2D(8, 1, activation="sigmoid")(weights)])
    y = layers.Dropout(0.5)(y)
    x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    return Functional(image, layers.Dense(4, activation="softmax")(x))


@pytest.mark.parametrize("library", ["keras", "flax", "torch"])
def test_graphs_have_the_same_outputs_in_every_library(library) -> None:
    package = pytest.importorskip(library)
    from benchmarks.whole_models import random_weights

    model = every_layer()
    rng = np.random.default_rng(0)
    params, state = jax.tree.map(
        lambda a: a + rng.uniform(0, 0.1, a.shape).astype(np.float32), random_weights(model)
    )
    params["dense"]["kernel"] *= 0.1  # a softmax that is not saturated
    x = rng.standard_normal((2, *model.input_shape)).astype(np.float32)
    expected, _ = model.apply(params, state, jnp.asarray(x))
    module = importlib.import_module(f"benchmarks.graph_in_{library}")
    made = getattr(module, f"in_{library}")(model, params, state)
    if library == "torch":
        with package.inference_mode():
            y = made.eval()(package.from_numpy(np.moveaxis(x, -1, 1).copy()))
    else:
        y, _ = made.apply(*made.init(jax.random.key(0)), x)
    # The precision of float32.
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
