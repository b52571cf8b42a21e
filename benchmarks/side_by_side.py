"""Times functions side by side: interleaved in one process, so that drift meets all alike."""

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

    Each round calls every function twice, in an order drawn anew, and counts the second call: as
    in a loop, which is what the functions are for. A single call finds in the caches and in the
    allocator what another one left there, which made the same program up to 1.8 times slower than
    itself. The rounds end after `rounds`, or when `seconds` are over and each function has been
    counted three times.

    Args:
        functions: By name; each returns when its work is done.
        rounds: How many rounds at most.
        seconds: How long all of it may take, roughly.
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
