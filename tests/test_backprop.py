"""The code in docs/backprop.md runs and prints the outputs in the text."""

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
# Two units of the fourth decimal. The precision of float32 is a thousandth of that, but rounding to
# decimals can change one unit, and errors accumulate over a thousand steps.
TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def run():
    """Pairs of a text block and the output printed before it, and all variables."""
    variables, printed, pairs = {}, io.StringIO(), []
    for language, content in BLOCKS:
        if language == "text":
            pairs.append((content, printed.getvalue()))
            printed = io.StringIO()
            continue
        with contextlib.redirect_stdout(printed):
            exec(compile(content, "docs/backprop.md", "exec"), variables)
    assert not printed.getvalue()
    return pairs, variables


def numbers(text):
    return [float(number) for number in NUMBER.findall(text)]


def words(text):
    return "".join(NUMBER.sub("0", text).split())


def test_code_blocks_print_the_following_text_blocks(run):
    pairs, _ = run
    assert TEXT.count("```") == 2 * len(BLOCKS)  # all blocks were found
    assert pairs
    for expected, printed in pairs:
        assert words(printed) == words(expected)
        np.testing.assert_allclose(numbers(printed), numbers(expected), rtol=0, atol=TOLERANCE)


def test_backpropagation_equals_finite_differences_for_a_kernel(run):
    _, variables = run
    assert variables["derivatives"].dtype == variables["differences"].dtype == np.float64
    assert variables["derivatives"].shape == (3, 3, 1, 3)
    assert np.count_nonzero(variables["derivatives"]) > 1
    # With a step of 1e-5, truncation has an error of 1e-10, and rounding one of 1e-16 / 1e-5.
    assert variables["largest_difference"] < 1e-9


def test_the_written_out_chain_rule_equals_jax_for_all_weights(run):
    _, variables = run
    assert jax.tree.structure(variables["by_hand"]) == jax.tree.structure(variables["gradient"])
    # Sums of a few dozen float32 products of numbers below 1.
    assert variables["by_hand_difference"] < 1e-6


def test_the_step_of_the_classifier_equals_the_written_out_one(run):
    _, variables = run
    # The same operations, executed one by one or compiled together.
    assert variables["step_difference"] < 1e-7


def test_an_update_increases_the_correct_output_and_decreases_the_error(run):
    _, variables = run
    target, image = variables["target"], variables["image"]
    assert target.tolist() == [[0, 0, 1, 0]]
    before, after = (
        variables["model"].apply(params, variables["state"], image)[0][0]
        for params in (variables["params"], variables["updated"])
    )
    assert after[2] > before[2]
    error = [0.5 * ((target[0] - np.asarray(y)) ** 2).sum() for y in (before, after)]
    assert error[1] < error[0] == pytest.approx(float(variables["value"]), rel=1e-5)


def test_the_configuration_of_jax_is_unchanged(run):
    assert not jax.config.jax_enable_x64
