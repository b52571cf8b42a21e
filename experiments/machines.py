"""What a command line sets up before JAX starts: other processes, and the compilation cache."""

import os
from dataclasses import dataclass

import jax

from jaxlayers.data.fetch import cache_folder


@dataclass(frozen=True)
class Machines:
    """Several processes that train together, each with its own devices."""

    distributed: bool = False
    """Whether this is one of several processes. Under SLURM, Open MPI and on Cloud TPU, JAX finds
    the others by itself; elsewhere give all three of the following."""
    coordinator: str | None = None
    """Address of process 0, HOST:PORT."""
    processes: int | None = None
    """How many there are."""
    process: int | None = None
    """The number of this one, from 0."""

    def join(self) -> None:
        """Waits for the other processes; does nothing where there is one.

        Raises:
            ValueError: If arguments that go together are not all given.
        """
        given = (self.coordinator, self.processes, self.process)
        if not self.distributed and given == (None, None, None):
            return
        if None in given and given != (None, None, None):
            raise ValueError(
                "machines: coordinator, processes and process belong together; got "
                f"coordinator={self.coordinator}, processes={self.processes}, "
                f"process={self.process}"
            )
        jax.distributed.initialize(*given)


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, unless JAX was told of another.

    It is where data sets are kept as well: `JAXLAYERS_CACHE` names another.
    """
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
        # JAX keeps only what compiled for more than a second; a start has many that take less.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
