import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlayers.metrics import FeatureStatistics, feature_statistics

# A mean that is large compared with the deviation: sums of squares in float32 would lose all digits
# of the covariance.
FEATURES = (1000 + np.random.default_rng(0).normal(size=(12, 3))).astype(np.float32)


def assert_statistics_of(statistics, features):
    """Asserts equality to 48 bits: two numbers in float32 per value."""
    features = features.astype(np.float64)
    deviations = features - features.mean(0)
    assert int(statistics.count) == len(features)
    mean, scatter = (
        np.asarray(pair, np.float64).sum(0) for pair in (statistics.mean, statistics.scatter)
    )
    np.testing.assert_allclose(mean, features.mean(0), rtol=1e-13)
    np.testing.assert_allclose(scatter, deviations.T @ deviations, atol=1e-11)


def test_updates_with_batches_of_any_size_give_the_statistics_of_all_samples():
    statistics = FeatureStatistics.init(3)
    for batch in (FEATURES[:0], FEATURES[:1], FEATURES[1:8], FEATURES[8:]):
        statistics = statistics.update(batch)
    assert_statistics_of(statistics, FEATURES)


def test_updates_in_scan_give_the_statistics_of_all_samples():
    def update(statistics, batch):
        return statistics.update(batch), None

    @jax.jit
    def accumulate(batches):
        return jax.lax.scan(update, FeatureStatistics.init(3), batches)[0]

    assert_statistics_of(accumulate(FEATURES.reshape(3, 4, 3)), FEATURES)


def test_statistics_of_separate_batches_are_merged():
    separate = jax.vmap(FeatureStatistics.init(3).update)(jnp.reshape(FEATURES, (2, 6, 3)))
    first, second = (jax.tree.map(lambda array, i=i: array[i], separate) for i in range(2))
    assert_statistics_of(first, FEATURES[:6])
    assert_statistics_of(first.merge(second), FEATURES)
    assert_statistics_of(FeatureStatistics.init(3).merge(second), FEATURES[6:])


def test_samples_are_converted_in_chunks(monkeypatch):
    monkeypatch.setattr(feature_statistics, "_CHUNK", 4)
    assert_statistics_of(FeatureStatistics.init(3).update(FEATURES[:11]), FEATURES[:11])


def test_the_covariance_is_that_of_samples():
    covariance = FeatureStatistics.init(3).update(FEATURES).covariance()
    assert covariance.dtype == jnp.float32
    np.testing.assert_allclose(covariance, np.cov(FEATURES, rowvar=False, dtype=float), rtol=1e-6)


def test_the_covariance_of_one_sample_is_nan():
    assert np.isnan(FeatureStatistics.init(3).update(FEATURES[:1]).covariance()).all()


def test_the_dtypes_of_statistics_do_not_depend_on_x64():
    with jax.enable_x64(True):
        statistics = FeatureStatistics.init(3).update(FEATURES)
        assert [array.dtype for array in jax.tree.leaves(statistics)] == [
            "int32",
            "float32",
            "float32",
        ]
        assert statistics.covariance().dtype == jnp.float64
    assert_statistics_of(statistics, FEATURES)


@pytest.mark.parametrize("features", [0, -1, 2.5, "3", True])
def test_the_number_of_features_is_a_positive_integer(features):
    with pytest.raises(ValueError, match="FeatureStatistics: features must be a positive integer"):
        FeatureStatistics.init(features)


def test_features_of_another_number_are_refused():
    statistics = FeatureStatistics.init(2)
    with pytest.raises(ValueError, match=r"update: features and .* same number .* got 3 and 2"):
        statistics.update(FEATURES)
    with pytest.raises(ValueError, match=r"merge: other and .* same number .* got 3 and 2"):
        statistics.merge(FeatureStatistics.init(3))
