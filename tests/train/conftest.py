import pytest


@pytest.fixture(scope="module")
def compilation_cache(tmp_path_factory):
    """Lets the subprocesses of a module share programs; this process has read its settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield
