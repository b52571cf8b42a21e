"""What `import jaxlayers` loads."""

import subprocess
import sys

SCRIPT = """
import sys
import jax, numpy, optax
def third_party():
    # multiprocessing enters __main__ under a second name.
    ours = sys.stdlib_module_names | {"__mp_main__"}
    return {name.partition(".")[0] for name in sys.modules} - ours
before = third_party()
import jaxlayers
print(*sorted(third_party() - before))
"""


def test_importing_it_loads_nothing_but_what_jax_numpy_and_optax_load() -> None:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["jaxlayers"]
    assert found.stderr == ""
