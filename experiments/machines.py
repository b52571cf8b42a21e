"""Setup before JAX is initialized: multi-process training and the compilation cache."""

import os
import warnings
from dataclasses import dataclass

import jax

from jaxlayers._files import cache_folder


@dataclass(frozen=True)
class Machines:
    """Multi-process training, each process with its own devices."""

    distributed: bool = False
    """Whether this is one of several processes. With SLURM, Open MPI and on Cloud TPU, JAX detects
    the others automatically; otherwise, all of the following options are required."""
    coordinator: str | None = None
    """Address of process 0, HOST:PORT."""
    processes: int | None = None
    """Number of processes."""
    process: int | None = None
    """Index of this process, from 0."""

    def join(self) -> None:
        """Connects to the other processes; does nothing if there are none.

        Raises:
            ValueError: If only some of `coordinator`, `processes` and `process` are given.
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
    """Caches compiled programs in the user's cache folder, unless JAX has a cache already.

    The folder, which also contains the data sets, can be set with `JAXLAYERS_CACHE`.
    """
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
        # By default, JAX caches only programs that take more than a second to compile.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # XLA cannot serialize programs with oneDNN's custom calls, see docs/convolutions.md.
    warnings.filterwarnings("ignore", "Error writing persistent compilation cache entry")


def disable_compilation_cache() -> None:
    """Compiles without a cache of programs, even if `JAX_COMPILATION_CACHE_DIR` is set.

    It must be called before the first program is compiled. On the CPU, jaxlib 0.10.2 does not
    release the memory mappings of programs that are in the cache, about 1,200 per `fit`, of which
    Linux allows a process 65,530.
    """
    jax.config.update("jax_enable_compilation_cache", False)
