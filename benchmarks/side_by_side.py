"""Times functions side by side: interleaved in one process, so that drift meets all alike."""

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

    Each round calls every function once, in turn; the first round is not counted. The rounds end
    after `rounds`, or when `seconds` are over and each has been counted three times.

    Args:
        functions: by name; each returns when its work is done.
        rounds: how many rounds at most.
        seconds: how long all of it may take, roughly.
    """
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    start = time.perf_counter()
    for done in range(rounds):
        if done >= 3 and time.perf_counter() - start > seconds:
            break
        for name, function in functions.items():
            before = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - before)
    return {name: statistics.median(values) for name, values in times.items()}
