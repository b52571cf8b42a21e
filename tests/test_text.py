"""Untrusted text is escaped and truncated."""

import time

from jaxlayers._text import printable, short_repr


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[2J\r\u202eb\x00é\n") == "a\\x1b[2J\\r\\u202eb\\x00é\n"
    assert printable("dense\n  kernel") == "dense\n  kernel"


def test_large_and_deep_values_have_a_short_repr() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    start = time.perf_counter()
    for value in (deep, list(range(10**6)), "x" * 10**7, {i: i for i in range(10**5)}, 10**10_000):
        assert len(short_repr(value)) <= 60
    assert time.perf_counter() - start < 1
    assert short_repr({"units": 3}) == "{'units': 3}"
    assert short_repr("\x1b[2J") == r"'\x1b[2J'"
