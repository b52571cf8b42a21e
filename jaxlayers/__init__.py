"""Keras's layers as pure functions for JAX."""
