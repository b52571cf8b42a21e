"""A layer of your own, with layers inside it, in a classifier of digits.

python examples/own_layer.py --steps 200
"""

import argparse
import dataclasses

import jax
import optax

from jaxlayers import Layer, Sequential, data, layers, train


@dataclasses.dataclass(frozen=True, repr=False)
class SqueezeAndExcitation(Layer):
    """Multiplies each channel by a weight from 0 to 1 that depends on the whole image.

    Reference: Hu et al., 2018, https://arxiv.org/abs/1709.01507
    """

    reduction: int = 4

    def weights(self, channels):
        """The layers that compute the weights of the channels."""
        hidden = layers.Dense(channels // self.reduction, activation="relu")
        output = layers.Dense(channels, activation="sigmoid")
        return Sequential([layers.GlobalAveragePooling2D(keepdims=True), hidden, output])

    def init(self, key, input_shape):
        return self.weights(input_shape[-1]).init(key, input_shape)

    def apply(self, params, state, x, *, training=False, key=None):
        weights, state = self.weights(x.shape[-1]).apply(params, state, x, training=training)
        return x * weights, state


def main(arguments=None):
    """Trains the classifier and returns its validation accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args(arguments).steps
    digits, validation = data.load_with_validation("mnist-5k")
    block = [layers.Conv2D(16, 3, strides=2, activation="relu"), SqueezeAndExcitation()]
    head = [layers.Flatten(), layers.Dense(10, activation="softmax")]
    model = Sequential([*block, *head], input_shape=digits.images.shape[1:])
    params, _ = model.init(jax.random.key(0))
    print(model.summary())
    print("weights of the layer:", jax.tree.map(jax.numpy.shape, params["squeeze_and_excitation"]))
    task = train.Classifier(model, optax.adam(3e-3))
    result = train.fit(task, digits, train.FitConfig(steps=steps, batch_size=64))
    return task.evaluate(result.train_state, validation)["accuracy"]


if __name__ == "__main__":
    print("validation accuracy:", main())
