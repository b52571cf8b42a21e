"""Interleaved timing of functions in one process, so that drift affects all of them equally."""

import random
import statistics
import time
from collections.abc import Callable, Mapping


def medians(
    functions: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    seconds: float = 2.0,
) -> dict[str, float]:
    """Returns the median time of each function, in seconds.

    Each round calls every function twice, in random order, and times the second call, as in a loop.
    A single call depends on the state of caches and allocator after other functions, which made the
    same program up to 1.8 times slower. The rounds end after `rounds`, or when `seconds` have
    passed and each function has been timed three times.

    Args:
        functions: By name; each returns when its work is done.
        rounds: Largest number of rounds.
        seconds: Approximate time limit.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    order, draw = list(functions), random.Random(0)
    start = time.perf_counter()
    for done in range(rounds):
        if done >= 3 and time.perf_counter() - start > seconds:
            break
        draw.shuffle(order)
        for name in order:
            functions[name]()
            before = time.perf_counter()
            functions[name]()
            times[name].append(time.perf_counter() - before)
    return {name: statistics.median(values) for name, values in times.items()}
