"""Settings of the site; `make site` builds it."""

import inspect
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import keras_infomodels  # noqa: E402

project = "keras-infomodels"
author = copyright = "The keras-infomodels developers"
release = keras_infomodels.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_templates", "api", "jupyter_execute"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = "keras-infomodels"
html_static_path = ["_static"]
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_output_stderr = "remove"
nb_merge_streams = True

default_role = "py:obj"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {
    "members": True,
    # What Keras and the standard library document is left to them.
    "inherited-members": "Model, Layer, Callback, Optimizer, dict, object, Exception, OSError",
}
autosummary_ignore_module_all = False
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_use_ivar = True

REPOSITORY = "https://github.com/keras-infomodels/keras-infomodels/blob/main/"
_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Example):$")
_ITEM = re.compile(r"(\s*[\w*]+(?:, [\w*]+)*: )(.*)")
_CODE = re.compile(r"(`[^`]+`)")


def link_to_repository(app, docname, source):
    """Turns links that leave docs/ into addresses; pictures stay, and are copied."""
    source[0] = re.sub(r"(?<!!)(\[[^\]\[]*\])\(\.\./([^)]+)\)", rf"\1({REPOSITORY}\2)", source[0])


def to_restructured(app, what, name, obj, options, lines):
    """Turns a docstring with Markdown's backticks and bare examples into reStructuredText."""
    section, result = "", []
    for line in inspect.cleandoc("\n".join(lines)).splitlines():
        if line and line[0] != " ":
            found = _SECTION.match(line)
            section = found[1] if found else ""
        if section == "Example":
            result += [".. rubric:: Example", "", ".. code-block:: python", ""] if found else [line]
            found = None
        elif section in ("Args", "Attributes", "Raises") and (item := _ITEM.fullmatch(line)):
            result.append(item[1] + _escaped(item[2]))
        else:
            result.append(line if _SECTION.match(line) else _escaped(line))
    lines[:] = result


def _escaped(text: str) -> str:
    """Text in which nothing but `code` and list bullets has a meaning."""
    parts = _CODE.split(text)
    plain = [re.sub(r"(?<!^)(?<!^ )([*|_\\])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = plain
    return "".join(part if "_" in part[-2:] or part[:1] != "`" else part for part in parts)


def setup(app):
    app.connect("source-read", link_to_repository)
    app.connect("autodoc-process-docstring", to_restructured, priority=400)
