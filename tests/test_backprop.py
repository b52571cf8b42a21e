"""The walk-through in docs/backprop.md runs, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import jax
import numpy as np
import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "backprop.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]\d+)?")
# Two units of the last of four decimals: float32 has a thousandth of that, but rounding to
# decimals may make one unit of it, and a thousand steps add up.
TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def run():
    """What each text block says, what was printed since the one before, and all that was made."""
    names, printed, pairs = {}, io.StringIO(), []
    for language, content in BLOCKS:
        if language == "text":
            pairs.append((content, printed.getvalue()))
            printed = io.StringIO()
            continue
        with contextlib.redirect_stdout(printed):
            exec(compile(content, "docs/backprop.md", "exec"), names)
    assert not printed.getvalue()
    return pairs, names


def numbers(text):
    return [float(number) for number in NUMBER.findall(text)]


def words(text):
    return "".join(NUMBER.sub("0", text).split())


def test_the_blocks_print_what_stands_below_them(run):
    pairs, _ = run
    assert TEXT.count("```") == 2 * len(BLOCKS)  # none was overlooked
    assert pairs
    for said, printed in pairs:
        assert words(printed) == words(said)
        np.testing.assert_allclose(numbers(printed), numbers(said), rtol=0, atol=TOLERANCE)


def test_backpropagation_agrees_with_finite_differences_in_every_weight_of_a_kernel(run):
    _, names = run
    assert names["derivatives"].dtype == names["differences"].dtype == np.float64
    assert names["derivatives"].shape == (3, 3, 1, 3)
    assert np.count_nonzero(names["derivatives"]) > 1
    # With steps of 1e-5 the third derivative adds 1e-10, and rounding 1e-16 / 1e-5.
    assert names["largest_difference"] < 1e-9


def test_the_chain_rule_by_hand_agrees_with_jax_in_every_weight(run):
    _, names = run
    assert jax.tree.structure(names["by_hand"]) == jax.tree.structure(names["gradient"])
    # Sums of a few dozen float32 products of numbers below 1.
    assert names["by_hand_difference"] < 1e-6


def test_the_step_of_the_classifier_is_the_one_by_hand(run):
    _, names = run
    # The same operations, one by one or compiled together.
    assert names["step_difference"] < 1e-7


def test_an_update_makes_the_right_one_of_four_outputs_larger_and_the_error_smaller(run):
    _, names = run
    target, image = names["target"], names["image"]
    assert target.tolist() == [[0, 0, 1, 0]]
    before, after = (
        names["model"].apply(params, names["state"], image)[0][0]
        for params in (names["params"], names["updated"])
    )
    assert after[2] > before[2]
    error = [0.5 * ((target[0] - np.asarray(y)) ** 2).sum() for y in (before, after)]
    assert error[1] < error[0] == pytest.approx(float(names["value"]), rel=1e-5)


def test_the_configuration_of_jax_is_left_as_it_was(run):
    assert not jax.config.jax_enable_x64
