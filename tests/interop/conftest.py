from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """Ignores a warning of NumPy 2 about Keras's variables, which only Keras can fix."""
    ignored = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(ignored))
