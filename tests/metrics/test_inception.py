import numpy as np
import scipy.special

from jaxlayers.metrics import inception_score

LOGITS = (3 * np.random.default_rng(0).normal(size=(23, 4))).astype(np.float32)


def test_scores_of_parts_equal_the_formula_in_float64():
    probabilities = scipy.special.softmax(LOGITS.astype(np.float64), axis=1)
    expected = []
    for i in range(3):
        part = probabilities[i * 23 // 3 : (i + 1) * 23 // 3]
        divergences = scipy.special.rel_entr(part, part.mean(0)).sum(1)
        expected.append(np.exp(divergences.mean()))
    mean, std = inception_score(LOGITS, splits=3)
    np.testing.assert_allclose(mean, np.mean(expected), rtol=1e-6)
    np.testing.assert_allclose(std, np.std(expected), rtol=1e-6)


def test_the_score_of_certain_and_varied_predictions_is_the_number_of_classes():
    logits = np.where(np.eye(4, dtype=bool), 0, -np.inf)
    assert [float(score) for score in inception_score(logits, splits=1)] == [4, 0]


def test_the_score_of_equal_predictions_is_one():
    mean, std = inception_score(np.repeat(LOGITS[:1], 10, axis=0))
    np.testing.assert_allclose([mean, std], [1, 0], atol=1e-6)


def test_a_class_that_is_never_predicted_has_no_effect():
    with_class = np.concatenate([LOGITS, np.full((23, 1), -np.inf, np.float32)], axis=1)
    expected = inception_score(LOGITS, splits=2)
    np.testing.assert_allclose(inception_score(with_class, splits=2), expected, rtol=1e-6)


def test_the_score_is_invariant_to_a_constant_that_is_added_to_all_logits():
    expected = inception_score(LOGITS, splits=2)
    shifted = LOGITS.astype(np.float64) + 1e4
    np.testing.assert_allclose(inception_score(shifted, splits=2), expected, rtol=1e-6)
