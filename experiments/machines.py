"""Set-up before JAX starts: multi-process training and the compilation cache."""

import os
from dataclasses import dataclass

import jax

from jaxlayers._files import cache_folder


@dataclass(frozen=True)
class Machines:
    """Multi-process training, each process with its own devices."""

    distributed: bool = False
    """Whether this is one of several processes. Under SLURM, Open MPI and on Cloud TPU, JAX detects
    the others automatically; elsewhere all of the following are required."""
    coordinator: str | None = None
    """Address of process 0, HOST:PORT."""
    processes: int | None = None
    """Number of processes."""
    process: int | None = None
    """Index of this process, from 0."""

    def join(self) -> None:
        """Waits for the other processes; does nothing if there are none.

        Raises:
            ValueError: If only some of the three addresses and counts are given.
        """
        given = (self.coordinator, self.processes, self.process)
        if not self.distributed and given == (None, None, None):
            return
        if None in given and given != (None, None, None):
            raise ValueError(
                "machines: coordinator, processes and process must be given together, got "
                f"coordinator={self.coordinator}, processes={self.processes}, "
                f"process={self.process}"
            )
        jax.distributed.initialize(*given)


def use_compilation_cache() -> None:
    """Caches compiled programs in the user's cache folder, unless JAX has another.

    The folder also has the data sets and can be set by `JAXLAYERS_CACHE`.
    """
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
        # By default JAX caches only programs that compile for more than a second.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
