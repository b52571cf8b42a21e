"""A training loop of your own, with the layers, Optax and nothing else of the library.

python examples/own_loop.py --steps 200
"""

import argparse

import jax
import jax.numpy as jnp
import optax

from jaxlayers import Sequential, data, layers

MODEL = Sequential(
    [
        layers.Conv2D(16, 3, strides=2, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10),
    ],
    input_shape=(28, 28, 1),
)
OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(3e-3, weight_decay=1e-4))


@jax.jit
def step(params, state, opt_state, images, labels, key):
    """Returns the params, the state, the optimizer state and the loss after one step."""

    def objective(params):
        logits, new_state = MODEL.apply(params, state, images / 255, training=True, key=key)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), new_state

    (loss, state), gradients = jax.value_and_grad(objective, has_aux=True)(params)
    updates, opt_state = OPTIMIZER.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), state, opt_state, loss


def main(arguments=None):
    """Trains the model and returns its validation accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    digits, validation = data.load_with_validation("mnist-5k")
    params, state = MODEL.init(jax.random.key(0))
    opt_state = OPTIMIZER.init(params)
    batches = data.batches((digits.images, digits.labels), 64, seed=0)
    for number in range(parser.parse_args(arguments).steps):
        key = jax.random.fold_in(jax.random.key(1), number)
        params, state, opt_state, loss = step(params, state, opt_state, *next(batches), key)
    print(f"loss of the last step: {loss:.3f}")
    logits, _ = jax.jit(MODEL.apply)(params, state, validation.images / 255)
    return float(jnp.mean(logits.argmax(-1) == validation.labels))


if __name__ == "__main__":
    print("validation accuracy:", main())
