"""The confusion matrix of a classifier, and precision and recall of its classes."""

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Returns the number of examples per true and predicted class, int64 [classes, classes].

    Args:
        labels: True classes, integers [N]; they are the rows.
        predictions: Predicted classes, integers [N]; they are the columns.
        classes: Number of classes.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def precision(matrix: np.ndarray) -> np.ndarray:
    """Returns the precision of each class, [classes], 0 if it is never predicted.

    The precision is the fraction of the predictions of a class that are correct.

    Args:
        matrix: A confusion matrix, [classes, classes].
    """
    return _fraction(matrix, matrix.sum(0))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Returns the recall of each class, [classes], 0 if it has no examples.

    The recall is the fraction of the examples of a class that are predicted correctly.

    Args:
        matrix: A confusion matrix, [classes, classes].
    """
    return _fraction(matrix, matrix.sum(1))


def _fraction(matrix: np.ndarray, total: np.ndarray) -> np.ndarray:
    fraction: np.ndarray = np.diag(matrix) / np.maximum(total, 1)
    return fraction
