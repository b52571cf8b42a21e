"""What all tests share: Keras on JAX, and random examples that are the same on every run."""

import os

os.environ["KERAS_BACKEND"] = "jax"

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
