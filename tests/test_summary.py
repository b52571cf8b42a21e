"""The table of a model compared with Keras's."""

import re

import keras
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.layers import Frozen

STACKS = {
    "dense": ([("Dense", (3,)), ("ReLU", ()), ("Dense", (300, "relu"))], (5,)),
    "images": (
        [
            ("Conv2D", (8, 3)),
            ("BatchNormalization", ()),
            ("MaxPooling2D", ()),
            ("Conv2DTranspose", (600, 5)),
            ("Flatten", ()),
            ("Dense", (10,)),
        ],
        (9, 8, 3),
    ),
    "no weights": ([("Flatten", ())], (2, 3)),
}


def keras_rows(model: keras.Model) -> list[str]:
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=120)
    return "\n".join(lines).splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split("[│┃]", line)]


@pytest.mark.parametrize("name", STACKS)
def test_rows_and_totals_equal_keras(name, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # Keras truncates its table to the width of the terminal
    stack, shape = STACKS[name]
    keras.backend.clear_session()
    keras_model = keras.Sequential(
        [getattr(keras.layers, layer)(*a) for layer, a in stack], name="m"
    )
    keras_model.build((None, *shape))
    model = Sequential([getattr(layers, layer)(*a) for layer, a in stack], shape, name="m")
    expected = [line for line in keras_rows(keras_model) if re.search("[│┃:]", line)]
    expected = [line for line in expected if any(cells(line))]
    actual = [line for line in model.summary().splitlines() if re.search("[│┃:]", line)]
    assert [cells(line) for line in actual] == [cells(line) for line in expected]


def test_layers_of_a_nested_model_are_indented() -> None:
    inner = Sequential([layers.Dense(3), layers.BatchNormalization()], name="inner")
    table = Sequential([layers.Flatten(), inner]).summary((2, 2))
    rows = [cells(line)[1:-1] for line in table.splitlines() if "│" in line]
    assert rows == [
        ["flatten (Flatten)", "(None, 4)", "0"],
        ["inner (Sequential)", "(None, 3)", "27"],
        ["dense (Dense)", "(None, 3)", "15"],
        ["batch_normalization (BatchNormalization)", "(None, 3)", "12"],
    ]
    assert "│    dense (Dense)" in table
    assert "Total params: 27 (108.00 B)" in table
    assert "Non-trainable params: 6 (24.00 B)" in table


def test_weights_of_frozen_layers_are_not_trainable() -> None:
    def rows(frozen):
        return Sequential([layers.Flatten(), *frozen], name="m").summary((2, 2)).splitlines()

    keras_model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    keras_model.build((None, 2, 2))
    keras_model.layers[1].trainable = False
    totals = [line.strip() for line in keras_rows(keras_model) if "params:" in line]
    table = rows([Frozen(layers.Dense(3))])
    assert [line.strip() for line in table[-3:]] == totals
    assert "dense (Frozen(Dense))" in [cells(line)[1] for line in table if "│" in line]
    # The layers of a model in a wrapper are listed as well.
    table = rows([Frozen(Sequential([layers.Dense(3)]))])
    names = [cells(line)[1] for line in table if "│" in line]
    assert names == ["flatten (Flatten)", "sequential (Frozen(Sequential))", "dense (Dense)"]


def test_activity_penalties_are_not_counted_as_params() -> None:
    table = Sequential([layers.Dense(3, activity_regularizer="l2")]).summary((2,))
    assert "Total params: 9 (36.00 B)" in table
    assert "Non-trainable params: 0 (0.00 B)" in table


def test_all_lines_of_the_table_have_the_same_width() -> None:
    table = Sequential([layers.Dense(3), layers.Dense(123456)]).summary((2,)).splitlines()
    assert len({len(line) for line in table if line[0] in "┏┃┡│└"}) == 1
