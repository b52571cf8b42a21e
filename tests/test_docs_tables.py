"""The tables in docs/padding.md are computed with each library that is installed."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers import layers

TEXT = (Path(__file__).parents[1] / "docs" / "padding.md").read_text()
KEY = jax.random.key(0)
POSITIONS = 3


def table(section):
    """The rows of the table of a section, as dictionaries by the title of the column."""
    content = TEXT.split(f"## {section}\n")[1].split("\n## ")[0]
    titles, _, *rows = (
        [cell.strip() for cell in line.strip("| \n").split(" | ")]
        for line in content.splitlines()
        if line.startswith("|")
    )
    return [dict(zip(titles, row, strict=True)) for row in rows]


def values(array):
    return np.asarray(array).reshape(-1).astype(int).tolist()


# Functions of a kernel, strides and an input in one dimension with one channel, which return the
# output of a convolution and of a transposed convolution, in one table per library.


def jaxlayers_functions():
    def apply(layer, kernel, x):
        params = {"kernel": jnp.reshape(jnp.array(kernel, float), (-1, 1, 1))}
        return values(layer.apply(params, {}, jnp.array(x, float)[None, :, None])[0])

    def convolution(kernel, strides, x):
        layer = layers.Conv1D(1, len(kernel), strides=strides, padding="same", use_bias=False)
        return apply(layer, kernel, x)

    def transposed(kernel, strides, x):
        options = {"strides": strides, "padding": "same", "use_bias": False}
        return apply(layers.Conv1DTranspose(1, len(kernel), **options), kernel, x)

    return {"same": (convolution, transposed)}


def keras_functions():
    keras = pytest.importorskip("keras")

    def apply(layer, kernel, x):
        layer.build((None, len(x), 1))
        layer.set_weights([np.reshape(kernel, (-1, 1, 1))])
        return values(layer(np.reshape(x, (1, -1, 1)).astype(np.float32)))

    def function(layer):
        return lambda kernel, strides, x: apply(
            layer(1, len(kernel), strides=strides, padding="same", use_bias=False), kernel, x
        )

    return {"same": (function(keras.layers.Conv1D), function(keras.layers.Conv1DTranspose))}


def flax_functions():
    nnx = pytest.importorskip("flax.nnx")

    def function(layer, **options):
        def apply(kernel, strides, x):
            options.update(strides=(strides,), padding="SAME", use_bias=False, rngs=nnx.Rngs(0))
            module = layer(1, 1, kernel_size=(len(kernel),), **options)
            module.kernel[...] = jnp.reshape(jnp.array(kernel, float), (-1, 1, 1))
            return values(module(jnp.array(x, float)[None, :, None]))

        return apply

    convolution, transposed = function(nnx.Conv), function(nnx.ConvTranspose)
    return {
        "same": (convolution, transposed),
        "transpose_kernel": (None, function(nnx.ConvTranspose, transpose_kernel=True)),
    }


def equinox_functions():
    equinox = pytest.importorskip("equinox")

    def function(layer):
        def apply(kernel, strides, x):
            options = {"stride": strides, "padding": "SAME", "use_bias": False, "key": KEY}
            module = layer(1, 1, len(kernel), **options)
            weight = jnp.reshape(jnp.array(kernel, float), (1, 1, -1))
            module = equinox.tree_at(lambda m: m.weight, module, weight)
            return values(module(jnp.array(x, float)[None]))

        return apply

    return {"same": (function(equinox.nn.Conv1d), function(equinox.nn.ConvTranspose1d))}


def torch_functions():
    torch = pytest.importorskip("torch")

    def apply(layer, kernel, x):
        with torch.no_grad():
            layer.weight[:] = torch.tensor(kernel).reshape(1, 1, -1)
            return values(layer(torch.tensor(x, dtype=torch.float32).reshape(1, 1, -1)))

    def convolution(kernel, strides, x):
        padding = len(kernel) // 2
        layer = torch.nn.Conv1d(1, 1, len(kernel), strides, padding=padding, bias=False)
        return apply(layer, kernel, x)

    def transposed(kernel, strides, x):
        padding, output_padding = torch_padding(len(kernel), strides)
        options = {"padding": padding, "output_padding": output_padding, "bias": False}
        return apply(torch.nn.ConvTranspose1d(1, 1, len(kernel), strides, **options), kernel, x)

    return {"same": (convolution, transposed)}


def torch_padding(size, strides):
    """`padding` and `output_padding` with which outputs are `strides` times as long as inputs."""
    padding = max(size - strides + 1, 0) // 2
    return padding, 2 * padding - (size - strides)


# The columns of the first two tables, with the functions that they are computed with.
LIBRARIES = {
    "jaxlayers": ("jaxlayers, Keras", jaxlayers_functions, "same"),
    "Keras": ("jaxlayers, Keras", keras_functions, "same"),
    "Flax NNX": ("Flax NNX", flax_functions, "same"),
    "Flax NNX, transpose_kernel": (
        "Flax NNX, `transpose_kernel`",
        flax_functions,
        "transpose_kernel",
    ),
    "Equinox": ("Equinox", equinox_functions, "same"),
    "PyTorch": ("PyTorch", torch_functions, "same"),
}


def padding_cell(convolution, row):
    """The padding before and after the input, and the number of outputs."""
    size, strides, length = (int(row[name]) for name in ("kernel", "strides", "inputs"))
    # With a kernel that copies its first position, the output has the position of each window.
    firsts = convolution([1.0] + [0.0] * (size - 1), strides, list(range(1, length + 1)))
    window = next(index for index, first in enumerate(firsts) if first)
    before = window * strides - (firsts[window] - 1)
    after = (len(firsts) - 1) * strides + size - before - length
    return f"{before} + {after}, {len(firsts)}"


def transposed_cell(transposed, row):
    """The output for one input of 1 in the middle and a kernel of the values 1, 2, 3 ..."""
    kernel = [float(position + 1) for position in range(int(row["kernel"]))]
    one = [float(position == POSITIONS // 2) for position in range(POSITIONS)]
    return "`" + "".join(map(str, transposed(kernel, int(row["strides"]), one))) + "`"


@pytest.mark.parametrize("library", [name for name in LIBRARIES if "transpose" not in name])
def test_padding_of_convolutions(library):
    column, functions, key = LIBRARIES[library]
    convolution, _ = functions()[key]
    for row in table("Convolutions"):
        assert row[column] == padding_cell(convolution, row), row


@pytest.mark.parametrize("library", LIBRARIES)
def test_outputs_of_transposed_convolutions(library):
    column, functions, key = LIBRARIES[library]
    _, transposed = functions()[key]
    for row in table("Transposed convolutions"):
        assert row[column] == transposed_cell(transposed, row), row


def test_arguments_of_pytorch_in_the_table():
    for row in table("Transposed convolutions"):
        size, strides = int(row["kernel"]), int(row["strides"])
        assert row["`padding`, `output_padding`"] == "{}, {}".format(*torch_padding(size, strides))


def shape(array):
    return str(list(np.shape(array)))


def number(value):
    return f"{value:g}"


def jaxlayers_facts():
    x = (5, 5, 2)
    norm = layers.BatchNormalization()
    batch = jnp.array([[0.0], [2.0]])
    _, state = norm.apply(*norm.init(KEY, (1,)), batch, training=True)
    return {
        "kernel of a convolution": shape(layers.Conv2D(4, (3, 5)).init(KEY, x)[0]["kernel"]),
        "kernel of a transposed convolution": shape(
            layers.Conv2DTranspose(4, (3, 5)).init(KEY, x)[0]["kernel"]
        ),
        "kernel of a dense layer": shape(layers.Dense(4).init(KEY, (2,))[0]["kernel"]),
        "default padding": f"`{layers.Conv2D(4, 3).padding!r}`".replace("'", '"'),
        "epsilon of batch normalization": number(norm.epsilon),
        "epsilon of layer normalization": number(layers.LayerNormalization().epsilon),
        "epsilon of group normalization": number(layers.GroupNormalization().epsilon),
        "part of the moving mean kept per step": number(1 - float(state["moving_mean"][0])),
        "moving variance of the batch 0, 2": variance(state["moving_variance"][0], 0.99),
    }


def variance(moving, kept):
    """The variance of the batch, from the moving variance after one step from 1."""
    return number(round((float(moving) - kept) / (1 - kept), 3))


def flax_facts():
    nnx = pytest.importorskip("flax.nnx")
    rngs = nnx.Rngs(0)
    convolution = nnx.Conv(2, 4, (3, 5), rngs=rngs)
    norm = nnx.BatchNorm(1, rngs=rngs)
    norm(jnp.array([[0.0], [2.0]]))
    return {
        "kernel of a convolution": shape(convolution.kernel[...]),
        "kernel of a transposed convolution": shape(
            nnx.ConvTranspose(2, 4, (3, 5), rngs=rngs).kernel[...]
        ),
        "kernel of a dense layer": shape(nnx.Linear(2, 4, rngs=rngs).kernel[...]),
        "default padding": f'`"{convolution.padding}"`',
        "epsilon of batch normalization": number(norm.epsilon),
        "epsilon of layer normalization": number(nnx.LayerNorm(4, rngs=rngs).epsilon),
        "epsilon of group normalization": number(nnx.GroupNorm(4, 2, rngs=rngs).epsilon),
        "part of the moving mean kept per step": number(1 - float(norm.mean[...][0])),
        "moving variance of the batch 0, 2": variance(norm.var[...][0], 0.99),
    }


def equinox_facts():
    equinox = pytest.importorskip("equinox")
    convolution = equinox.nn.Conv2d(2, 4, (3, 5), key=KEY)
    transposed = equinox.nn.ConvTranspose2d(2, 4, (3, 5), key=KEY)
    norm = equinox.nn.BatchNorm(1, axis_name="batch", mode="batch")
    state = equinox.nn.State(norm)
    state = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(
        jnp.array([[0.0], [2.0]]), state
    )[1]
    mean, moving_variance = state.get(norm.batch_state_index)
    assert all(padding == (0, 0) for padding in convolution.padding)
    return {
        "kernel of a convolution": shape(convolution.weight),
        "kernel of a transposed convolution": shape(transposed.weight),
        "kernel of a dense layer": shape(equinox.nn.Linear(2, 4, key=KEY).weight),
        "default padding": "`0`",
        "epsilon of batch normalization": number(norm.eps),
        "epsilon of layer normalization": number(equinox.nn.LayerNorm(4).eps),
        "epsilon of group normalization": number(equinox.nn.GroupNorm(2, 4).eps),
        "part of the moving mean kept per step": number(1 - float(mean[0])),
        "moving variance of the batch 0, 2": variance(moving_variance[0], 0.99),
    }


def torch_facts():
    torch = pytest.importorskip("torch")
    convolution = torch.nn.Conv2d(2, 4, (3, 5))
    norm = torch.nn.BatchNorm1d(1)
    norm(torch.tensor([[0.0], [2.0]]))
    assert set(convolution.padding) == {0}
    return {
        "kernel of a convolution": shape(convolution.weight.detach()),
        "kernel of a transposed convolution": shape(
            torch.nn.ConvTranspose2d(2, 4, (3, 5)).weight.detach()
        ),
        "kernel of a dense layer": shape(torch.nn.Linear(2, 4).weight.detach()),
        "default padding": "`0`",
        "epsilon of batch normalization": number(norm.eps),
        "epsilon of layer normalization": number(torch.nn.LayerNorm(4).eps),
        "epsilon of group normalization": number(torch.nn.GroupNorm(2, 4).eps),
        "part of the moving mean kept per step": number(1 - float(norm.running_mean[0])),
        "moving variance of the batch 0, 2": variance(norm.running_var[0], 0.9),
    }


FACTS = {
    "jaxlayers, Keras": jaxlayers_facts,
    "Flax NNX": flax_facts,
    "Equinox": equinox_facts,
    "PyTorch": torch_facts,
}


@pytest.mark.parametrize("library", FACTS)
def test_shapes_and_defaults(library):
    expected = FACTS[library]()
    rows = {
        row["layers from 2 to 4 channels"]: row[library] for row in table("Shapes and defaults")
    }
    assert {name: rows[name] for name in expected} == expected


def test_every_row_of_the_table_of_defaults_is_computed():
    computed = jaxlayers_facts().keys() | {"axes of images"}
    assert {row["layers from 2 to 4 channels"] for row in table("Shapes and defaults")} == computed


def test_a_transposed_convolution_of_pytorch_is_a_cropped_one():
    _, torch_transposed = torch_functions()["same"]
    for row in table("Transposed convolutions"):
        size, strides = int(row["kernel"]), int(row["strides"])
        padding, output_padding = torch_padding(size, strides)
        kernel = [float(position + 1) for position in range(size)]
        x = [1.0, 10.0, 100.0]
        params = {"kernel": jnp.reshape(jnp.array(kernel), (-1, 1, 1))}
        layer = layers.Conv1DTranspose(1, size, strides=strides, use_bias=False)
        y, _ = layer.apply(params, {}, jnp.array(x)[None, :, None])
        y, _ = layers.Cropping1D((padding, padding - output_padding)).apply({}, {}, y)
        assert values(y) == torch_transposed(kernel, strides, x)
