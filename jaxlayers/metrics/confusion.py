"""Which classes are taken for which."""

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Returns how many examples of each class were taken for each, int64 [classes, classes].

    Args:
        labels: integers, [N]; their class is the row.
        predictions: integers, [N]; their class is the column.
        classes: how many there are.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def precision(matrix: np.ndarray) -> np.ndarray:
    """Returns, for each class, the part of what was taken for it that is it, [classes].

    0 where nothing was taken for it.
    """
    return _part(matrix, matrix.sum(0))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Returns, for each class, the part of it that was taken for it, [classes].

    0 where there is no example of it.
    """
    return _part(matrix, matrix.sum(1))


def _part(matrix: np.ndarray, of: np.ndarray) -> np.ndarray:
    return np.diag(matrix) / np.maximum(of, 1)
