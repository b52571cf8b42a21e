"""Wrong values by type of argument, and an assertion about error messages."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

NAN, INFINITY = math.nan, math.inf

INTEGERS = ["x", None, 1.5, NAN, True, (1, 2), {}]
COUNTS = [*INTEGERS, 0, -1]
# For one or two integers of at least 1, and for paddings of at least 0.
PAIRS = ["x", "ab", None, 1.5, NAN, True, 0, -1, (1, 0), (1, -2), (1,), (1, 2, 3), (1, "a"), {}]
# The same for one and for three integers.
SINGLES = ["x", None, 1.5, NAN, True, 0, -1, (0,), (-2,), (), (1, 2), ("a",), {}]
TRIPLES = ["xyz", None, 1.5, NAN, True, 0, -1, (1, 1, 0), (1,), (1, 2), (1, 2, 3, 4), (1, "a", 2)]
PADDINGS = ["x", 1.5, -1, (1, -1), (1,), (1, 2, 3), (1, "a"), True, {}]
AXES = ["x", None, 1.5, True, (), (0, "x"), (0, 1.5), {}]
SHAPES = ["x", 5, (2.5,), (2, "x"), (2, None), (2, True), {}]
BOOLEANS = ["no", "yes", "", None, 2, -1, 0.5, NAN, [True]]
NUMBERS = ["x", None, NAN, True, (1.0,), [], 1j]
POSITIVE = [*NUMBERS, 0.0, -1, INFINITY]
NOT_NEGATIVE = [*NUMBERS, -1, -0.5, -INFINITY]
FINITE_NOT_NEGATIVE = [*NOT_NEGATIVE, INFINITY]
FRACTIONS = [*NOT_NEGATIVE, 1.5, 2, INFINITY]
STRINGS = [3, None, "", b"x", ["x"], True]
CHOICES = ["unknown", "", 3, None, True, ["valid"], NAN]
DATA_FORMATS = ["NHWC", "", 3, True, ["channels_last"]]
IDENTIFIERS = ["unknown", "", 3, 1.5, True, ["relu"], {}]
REQUIRED_IDENTIFIERS = [*IDENTIFIERS, None]


def excluding(values: list[Any], *allowed: Any) -> list[Any]:
    """Returns `values` except those that are allowed."""
    return [value for value in values if not any(value is a or value == a for a in allowed)]


def assert_informative_error(
    call: Callable[[], Any], owner: str, argument: str, received: str
) -> None:
    """Asserts that an error names the owner, the argument, the value and the allowed values."""
    with pytest.raises((ValueError, TypeError, IndexError, KeyError)) as error_info:
        call()
    message = str(error_info.value)
    assert owner in message
    assert re.search(rf"\b{argument}\b", message), message
    assert received in message, message
    assert re.search(r"\bmust\b|did you mean|Known names: ", message), message
