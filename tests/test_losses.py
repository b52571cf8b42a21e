import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from jaxlayers.losses import binary_cross_entropy, cross_entropy, squared_error

LOGITS = np.array([[-3.0], [-0.1], [0.0], [2.5]])


@pytest.mark.parametrize("labels", [0.0, 1.0, 0.3, np.array([[0.0], [1.0], [0.5], [1.0]])])
def test_binary_cross_entropy_equals_its_formula(labels):
    p = 1 / (1 + np.exp(-LOGITS))
    expected = np.mean(-labels * np.log(p) - (1 - labels) * np.log(1 - p))
    # float32 sums of a few terms near 1.
    assert binary_cross_entropy(jnp.asarray(LOGITS), labels) == pytest.approx(expected, rel=1e-6)


def test_binary_cross_entropy_is_stable_for_large_logits():
    assert binary_cross_entropy(jnp.array([1e4]), 0.0) == 1e4
    assert binary_cross_entropy(jnp.array([-1e4]), 1.0) == 1e4
    assert binary_cross_entropy(jnp.array([1e4]), 1.0) == 0
    assert jax.grad(binary_cross_entropy)(1e4, 0.0) == 1
    assert jax.grad(binary_cross_entropy)(-1e4, 1.0) == -1


def test_the_gradient_of_binary_cross_entropy_equals_its_formula():
    gradient = jax.grad(binary_cross_entropy)(jnp.asarray(LOGITS), 0.3)
    expected = (1 / (1 + np.exp(-LOGITS)) - 0.3) / LOGITS.size
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_binary_cross_entropy_has_the_dtype_of_the_logits():
    assert binary_cross_entropy(jnp.zeros(3, jnp.bfloat16), 1.0).dtype == jnp.bfloat16


def test_labels_that_do_not_broadcast_to_the_logits_are_refused():
    with pytest.raises(ValueError, match="broadcast"):
        binary_cross_entropy(jnp.zeros((4, 1)), jnp.zeros(4))


CLASSES = np.array([[2.0, -1.0, 0.5, 0.0], [-3.0, 0.1, 0.0, 2.5]], np.float32)
ONE_HOT = np.array([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]], np.float32)
TARGETS = pytest.mark.parametrize(
    "targets", [ONE_HOT, 0.8 * ONE_HOT + 0.05], ids=["one-hot", "smoothed"]
)


def softmax(logits):
    exponentials = np.exp(np.asarray(logits, np.float64))
    return exponentials / exponentials.sum(-1, keepdims=True)


@TARGETS
def test_cross_entropy_equals_its_formula(targets):
    expected = -(targets * np.log(softmax(CLASSES))).sum(-1)
    assert expected.shape == (2,)
    np.testing.assert_allclose(cross_entropy(jnp.asarray(CLASSES), targets), expected, rtol=1e-6)


@TARGETS
def test_cross_entropy_equals_keras(targets):
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=None)
    actual = cross_entropy(jnp.asarray(CLASSES), targets)
    np.testing.assert_allclose(actual, keras_loss(targets, CLASSES), rtol=1e-6)


@TARGETS
def test_the_gradient_of_cross_entropy_is_softmax_minus_target(targets):
    gradient = jax.grad(lambda logits: cross_entropy(logits, targets).sum())(jnp.asarray(CLASSES))
    np.testing.assert_allclose(gradient, softmax(CLASSES) - targets, rtol=1e-5, atol=1e-7)


def test_cross_entropy_is_stable_for_large_logits():
    logits = jnp.array([[1e4, 0.0, 0.0, 0.0]])
    assert cross_entropy(logits, ONE_HOT[:1]).tolist() == [1e4]
    gradient = jax.grad(lambda logits: cross_entropy(logits, ONE_HOT[:1]).sum())(logits)
    assert gradient.tolist() == [[1, 0, -1, 0]]


@TARGETS
def test_squared_error_equals_its_formula(targets):
    expected = (0.5 * (targets - softmax(CLASSES)) ** 2).sum(-1)
    assert expected.shape == (2,)
    np.testing.assert_allclose(squared_error(jnp.asarray(CLASSES), targets), expected, rtol=1e-5)


@TARGETS
def test_the_gradient_of_squared_error_includes_the_softmax(targets):
    outputs = softmax(CLASSES)
    output_gradients = outputs - targets
    jacobians = [np.diag(y) - np.outer(y, y) for y in outputs]
    expected = [j @ d for j, d in zip(jacobians, output_gradients, strict=True)]
    gradient = jax.grad(lambda logits: squared_error(logits, targets).sum())(jnp.asarray(CLASSES))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


def test_squared_error_is_finite_for_large_logits():
    logits = jnp.array([[1e4, 0.0, 0.0, 0.0]])
    # 1/2 for the output whose target is 1, and 1/2 for the output that is 1.
    assert squared_error(logits, ONE_HOT[:1]).tolist() == [1]
    gradient = jax.grad(lambda logits: squared_error(logits, ONE_HOT[:1]).sum())(logits)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_integer_targets_are_equivalent_to_one_hot_targets(loss):
    labels = ONE_HOT.argmax(-1)
    expected = loss(jnp.asarray(CLASSES), ONE_HOT)
    np.testing.assert_array_equal(loss(jnp.asarray(CLASSES), labels), expected)
    # As many examples as classes: [4] is not broadcast to [4, 4].
    square = jnp.asarray(np.tile(CLASSES, (2, 1)))
    values = loss(square, jnp.array([0, 1, 2, 3]))
    np.testing.assert_array_equal(values, loss(square, jnp.eye(4)))
    assert values.shape == (4,)


def test_integer_targets_equal_keras():
    labels = ONE_HOT.argmax(-1)
    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    actual = cross_entropy(jnp.asarray(CLASSES), labels)
    np.testing.assert_allclose(actual, keras_loss(labels, CLASSES), rtol=1e-6)


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
@pytest.mark.parametrize("label", [4, -1, 255])
def test_labels_that_are_not_a_class_give_a_loss_of_nan(loss, label):
    values = jax.jit(loss)(jnp.asarray(CLASSES), jnp.array([1, label]))
    assert np.isnan(values).tolist() == [False, True]


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
@pytest.mark.parametrize(
    "targets",
    [jnp.zeros(4), jnp.zeros((1, 4)), jnp.zeros((2, 1)), jnp.zeros(2), jnp.zeros((2, 1), int), 1],
    ids=lambda targets: f"{jnp.result_type(targets)}{list(jnp.shape(targets))}",
)
def test_targets_of_wrong_shapes_are_refused(loss, targets):
    with pytest.raises(ValueError, match=rf"{loss.__name__}: targets must be .*\(2, 4\).*got"):
        loss(jnp.asarray(CLASSES), targets)


def test_labels_of_one_element_are_not_broadcast():
    with pytest.raises(ValueError, match=r"the shape of the outputs, \(4, 1\).*got \(1,\)"):
        binary_cross_entropy(jnp.zeros((4, 1)), jnp.zeros(1))


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_losses_have_one_value_per_example_in_the_dtype_of_the_logits(loss):
    value = loss(jnp.zeros((3, 4), jnp.bfloat16), jnp.zeros((3, 4), jnp.bfloat16))
    assert value.shape == (3,) and value.dtype == jnp.bfloat16
