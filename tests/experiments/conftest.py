import dataclasses

import numpy as np
import pytest

from experiments import dcgan

TINY = {"generator_width": 8, "discriminator_width": 1, "steps": 2, "batch_size": 4}


@pytest.fixture(autouse=True)
def no_network(tmp_path, monkeypatch):
    """No test reaches the network, reads the user's cache, or writes beside its own folder."""
    monkeypatch.setenv("JAXLAYERS_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # JAX's settings outlive a test; commands in processes of their own do use it.
    monkeypatch.setattr(dcgan, "use_compilation_cache", lambda: None)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def tiny(monkeypatch):
    """The smallest models under the name of the preset that is the default."""
    preset = dataclasses.replace(dcgan.PRESETS["small"], **TINY)
    monkeypatch.setitem(dcgan.PRESETS, "small", preset)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """The path of an .npy of twelve images of 4 x 4."""
    path = tmp_path_factory.mktemp("data") / "images.npy"
    np.save(path, np.random.default_rng(0).integers(256, size=(12, 4, 4, 1), dtype=np.uint8))
    return path
