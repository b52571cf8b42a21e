"""The names of the classes of a conditional generator."""

from collections.abc import Iterator

from jaxlayers import layers
from jaxlayers._text import short_repr
from jaxlayers.layer import Layer
from jaxlayers.runs.folder import RunFolder


def class_names(folder: RunFolder, generator: Layer) -> tuple[str, ...]:
    """Returns the names of the classes of a conditional generator.

    Args:
        folder: The folder of its run.
        generator: The generator, whose second input is the label.

    Returns:
        The names in `model.json`, which are those of the training data. If there are none, as in
        the folder of a converted Keras file, the labels that the generator has embeddings of.

    Raises:
        FileNotFoundError: If it is not the folder of a run.
        ValueError: If the classes are not known.
    """
    names = folder.model().get("class_names")
    if isinstance(names, list) and names:
        return tuple(str(name) for name in names)
    sizes = [layer.input_dim for layer in _embeddings(generator)]
    if names is not None or not sizes:
        raise ValueError(
            f"{folder.path / 'model.json'}: class_names must be a list of the names of all "
            f"classes, because the generator is conditional, got {short_repr(names)}"
        )
    return tuple(map(str, range(min(sizes))))


def _embeddings(layer: Layer) -> Iterator[layers.Embedding]:
    """Yields the embeddings in a layer."""
    if isinstance(layer, layers.Embedding):
        yield layer
    inside: list[Layer] = []

    def visit(_: str | None, inner: Layer) -> Layer:
        inside.append(inner)
        return inner

    layer.map_layers(visit)
    for inner in inside:
        yield from _embeddings(inner)
