"""The examples in docstrings run and print the documented outputs."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlayers

MODULES = [
    "jaxlayers",
    *(m.name for m in pkgutil.walk_packages(jaxlayers.__path__, prefix="jaxlayers.")),
]


def examples(name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(name)
    names = {"jax": jax, "jnp": jnp, "np": np, **vars(module)}
    doctests = doctest.DocTestFinder().find(module, globs=names)
    return [test for test in doctests if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    for test in examples(name):
        doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_all_layers_and_models_have_examples() -> None:
    with_example = {test.name.rpartition(".")[2] for name in MODULES for test in examples(name)}
    compositions = {"Sequential", "Functional", "Input"}
    models = {"generator", "discriminator", "lenet", "vgg"}
    models |= {"resnet18", "resnet50", "mobilenet_v2", "unet"}
    assert {*jaxlayers.layers.__all__, *compositions, *models} <= with_example


@pytest.mark.parametrize("name", MODULES)
def test_returned_values_are_not_documented_as_types(name) -> None:
    """Sphinx shows what precedes a colon in the first line of this section as a type."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(ast.parse(inspect.getsource(importlib.import_module(name)))):
        if isinstance(node, definitions) and (text := ast.get_docstring(node)):
            for line in re.findall(r"^Returns:\n +(.*)", text, re.MULTILINE):
                assert not re.search(r":(\s|$)", re.sub(r"`.*?`", "", line)), (node.name, line)
