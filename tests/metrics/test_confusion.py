import numpy as np

from jaxlayers.metrics import confusion_matrix, precision, recall

LABELS = np.random.default_rng(0).integers(4, size=200)
PREDICTED = np.where(np.random.default_rng(1).random(200) < 0.7, LABELS, (LABELS + 1) % 4)


def test_the_matrix_counts_pairs_of_true_and_predicted_classes():
    matrix = confusion_matrix(LABELS, PREDICTED, 4)
    for row, column in np.ndindex(4, 4):
        assert matrix[row, column] == sum((row == LABELS) & (column == PREDICTED))


def test_precision_is_a_fraction_of_a_column_and_recall_of_a_row():
    matrix = confusion_matrix(LABELS, PREDICTED, 4)
    for label in range(4):
        correct = sum((label == LABELS) & (label == PREDICTED))
        assert precision(matrix)[label] == correct / sum(label == PREDICTED)
        assert recall(matrix)[label] == correct / sum(label == LABELS)


def test_precision_and_recall_of_a_class_without_examples_are_zero():
    matrix = confusion_matrix(np.array([0]), np.array([0]), 2)
    assert precision(matrix).tolist() == recall(matrix).tolist() == [1, 0]
