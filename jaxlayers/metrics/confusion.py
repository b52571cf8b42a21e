"""The confusion matrix of a classifier, and the precision and recall of each class."""

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Returns the number of examples for each true and predicted class.

    Args:
        labels: True classes, integers [N].
        predictions: Predicted classes, integers [N].
        classes: Number of classes.

    Returns:
        int64 [classes, classes]; rows are true classes, columns are predicted classes.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def precision(matrix: np.ndarray) -> np.ndarray:
    """Returns the precision of each class, the fraction of its predictions that are correct.

    Args:
        matrix: A confusion matrix, [classes, classes].

    Returns:
        [classes]; 0 for classes that are never predicted.
    """
    return _fraction(matrix, matrix.sum(0))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Returns the recall of each class, the fraction of its examples classified correctly.

    Args:
        matrix: A confusion matrix, [classes, classes].

    Returns:
        [classes]; 0 for classes without examples.
    """
    return _fraction(matrix, matrix.sum(1))


def _fraction(matrix: np.ndarray, total: np.ndarray) -> np.ndarray:
    fraction: np.ndarray = np.diag(matrix) / np.maximum(total, 1)
    return fraction
