"""Configuration of Sphinx: `make docs` builds the pages in this folder into build/docs."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin

from docutils import nodes
from docutils.nodes import Element
from sphinx.addnodes import desc_signature, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util.nodes import make_refnode

import jaxlayers
from jaxlayers import _fields as fields

project = "jaxlayers"
author = "The jaxlayers authors"
copyright = author  # noqa: A001
version = release = jaxlayers.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]

html_theme = "sphinx_book_theme"
html_title = "jaxlayers"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "navbar_persistent": [],
}
highlight_language = "text"

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Params", "State", "Input shape", "Output shape", "Reference"]
napoleon_use_rtype = False

# Every other reference of a docstring or an annotation must exist. The documentation of other
# libraries is not linked, because the build uses no network.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(collections|dataclasses|jax|numpy|optax|os|pathlib|typing)\..*"),
    ("py:.*", r"jaxlayers\._.*"),
]

default_role = "symbol"


class Symbol(XRefRole):
    """Text in single backticks: a link if it is the name of a documented object, else code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        text = nodes.unescape(self.text)
        if all(part.isidentifier() for part in text.removesuffix("()").split(".")):
            return super().run()
        return [nodes.literal(self.rawtext, text)], []

    def process_link(
        self, env: BuildEnvironment, node: Element, explicit: bool, title: str, target: str
    ) -> tuple[str, str]:
        scope = env.ref_context.get("py:module"), env.ref_context.get("py:class")
        node["scopes"] = [".".join(filter(None, scope)), scope[0], "", "jaxlayers"]
        return title, target.removesuffix("()")


def resolve_symbol(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Links a `Symbol`, or leaves it as code if there is no object of this name."""
    if node["reftype"] != "symbol":
        return None
    objects = env.domains.python_domain.objects
    for scope in node["scopes"]:
        name = f"{scope}.{node['reftarget']}".removeprefix(".") if scope is not None else ""
        if name in objects and name != node["scopes"][0]:
            page, anchor = objects[name].docname, objects[name].node_id
            return make_refnode(app.builder, node["refdoc"], page, anchor, content, name)
    return nodes.literal(content.rawsource, content.astext())


def accepted(annotation: Any) -> Any:
    """Returns the type that an argument with the annotation accepts; fields have their own."""
    origin = get_origin(annotation) or annotation
    if origin is fields.Identifier:
        return str | Callable
    if not (isinstance(origin, type) and issubclass(origin, fields.Field)):
        return annotation
    if origin is fields.Optional:
        return get_args(annotation)[0] | None
    base = get_args(origin.__orig_bases__[0])[0]
    return get_args(annotation)[0] if isinstance(base, TypeVar) else base


def set_signatures(app: Sphinx) -> None:
    """Gives each dataclass of the package the signature of its fields, without their machinery."""
    names = [module.name for module in pkgutil.walk_packages(jaxlayers.__path__, "jaxlayers.")]
    for module in [importlib.import_module(name) for name in names if "__main__" not in name]:
        for value in list(vars(module).values()):
            if not (isinstance(value, type) and dataclasses.is_dataclass(value)):
                continue
            # Sphinx reads the types from the class, and the defaults from the signature.
            for owner in (value, value.__init__):
                annotations = owner.__annotations__
                annotations.update({name: accepted(each) for name, each in annotations.items()})
            _, *parameters = inspect.signature(value.__init__).parameters.values()
            value.__signature__ = inspect.Signature(parameters)


def as_restructured_text(
    app: Sphinx, kind: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Escapes the plain text of docstrings, and joins lists of arguments on several lines."""
    text = "\n".join(lines)
    names = re.compile(r"^( +)(\w+(?:,\s+\w+)+):", flags=re.MULTILINE)
    text = names.sub(lambda m: m[1] + " ".join(m[2].split()) + ":", text)
    lines[:] = [
        line if ">>>" in line else re.sub(r"(`[^`]*`)|\*", lambda m: m[1] or r"\*", line)
        for line in text.split("\n")
    ]


def add_defining_modules(app: Sphinx, doctree: nodes.document) -> None:
    """Gives each entry a second id, by the module that defines it, for links from its source.

    The pages of sources link back by one module name per page, but names of one source may be
    documented in several modules.
    """
    for entry in doctree.findall(desc_signature):
        value: Any = sys.modules.get(entry.get("module", ""))
        for attribute in entry.get("fullname", "").split("."):
            value = getattr(value, attribute, None)
        module = getattr(value, "__module__", None)
        if isinstance(module, str) and module != entry["module"]:
            entry["module"] = module
            entry["ids"].append(f"{module}.{entry['fullname']}")


def setup(app: Sphinx) -> None:
    """Registers the role of single backticks, and the functions that change entries."""
    app.add_role("symbol", Symbol())
    app.connect("missing-reference", resolve_symbol)
    app.connect("builder-inited", set_signatures)
    app.connect("autodoc-process-docstring", as_restructured_text, priority=100)
    app.connect("doctree-read", add_defining_modules, priority=100)
