from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """Keras's variables do not know an argument of NumPy 2; only Keras can mend that."""
    known = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(known))
