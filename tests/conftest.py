"""What all tests share: Keras on JAX, and random examples that are the same on every run."""

import os

os.environ["KERAS_BACKEND"] = "jax"
# Nearly all of the time goes into compiling what runs once: unoptimized code halves it.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
)

import hypothesis

hypothesis.settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    max_examples=20,
    # Shrinking a failure compiles for every attempt; the first one found says enough.
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("fixed")
