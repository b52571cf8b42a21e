import dataclasses

import numpy as np
import pytest

from experiments import compare, dcgan

# Without penalties, whose second derivatives take long to compile.
TINY = {
    "generator_width": 8,
    "discriminator_width": 1,
    "steps": 2,
    "batch_size": 4,
    "loss": "non_saturating",
    "regularizers": (),
    "learning_rate_decay": 0.0,
}
CHEAP = ("--loss", "non_saturating", "--regularizers")


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The cache of all commands, which compile each program once. No data is fetched into it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def no_network(cache, tmp_path, monkeypatch):
    """Disables the network, and uses temporary folders as the cache and the current folder."""
    monkeypatch.setenv("JAXLAYERS_CACHE", str(cache))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # JAX's settings would persist after the test; commands run in a subprocess do use the cache.
    monkeypatch.setattr(dcgan, "use_compilation_cache", lambda: None)
    monkeypatch.setattr(compare, "disable_compilation_cache", lambda: None)
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")


@pytest.fixture
def tiny_preset(monkeypatch):
    """Replaces the default preset by one with the smallest models."""
    preset = dataclasses.replace(dcgan.PRESETS["small"], **TINY)
    monkeypatch.setitem(dcgan.PRESETS, "small", preset)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """The path of an .npy file of twelve 4 x 4 images."""
    path = tmp_path_factory.mktemp("data") / "images.npy"
    np.save(path, np.random.default_rng(0).integers(256, size=(12, 4, 4, 1), dtype=np.uint8))
    return path
