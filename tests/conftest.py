"""Configuration of all tests: Keras on JAX, and the same random examples in every run."""

import os

os.environ["KERAS_BACKEND"] = "jax"
# Nearly all of the time is spent on compiling code that runs once; without optimizations it halves.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
)
# XLA cannot serialize programs with oneDNN's custom calls, so that commands in other processes
# would compile again. The tests of oneDNN set this themselves, and make test runs others with it.
os.environ.setdefault("JAXLAYERS_CPU_CONVOLUTIONS", "xla")

import hypothesis

hypothesis.settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    max_examples=20,
    # Shrinking a failure compiles in every attempt; the first failure is informative enough.
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("fixed")
