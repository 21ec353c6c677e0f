"""The form of docstrings that ruff does not check."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for folder in ("keras_infomodels", "zoo", "export")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
FRAGMENT = r"(of|whether|those|what|where|which|whose|that|how|who|as|its|the one|see)\b"
"""Beginnings of an argument's description that has no head."""


def docstrings(path):
    """Name and docstring of each public module, class and function of a file."""
    todo = [(path.stem, ast.parse(path.read_text()))]
    while todo:
        name, node = todo.pop()
        if text := ast.get_docstring(node):
            yield name, text
        kinds = ast.ClassDef | ast.FunctionDef
        todo += [(n.name, n) for n in node.body if isinstance(n, kinds) and n.name[0] != "_"]


def described(text, section):
    """Name and description of each argument or attribute in a docstring."""
    body = re.search(rf"^{section}:\n((?: +.*\n|\n)+)", f"{text}\n", re.MULTILINE)
    for item in re.findall(r"^ {4}(\S.*(?:\n {8}.*)*)", body[1], re.MULTILINE) if body else []:
        name, _, description = " ".join(item.split()).partition(": ")
        yield name, description


def test_docstrings_describe_arguments_by_a_head():
    found = [
        f"{path.relative_to(ROOT)} {owner}({name}): {description}"
        for path in FILES
        for owner, text in docstrings(path)
        for section in ("Args", "Attributes")
        for name, description in described(text, section)
        if not description or re.match(FRAGMENT, description, re.IGNORECASE)
    ]
    assert found == []


def test_docstrings_begin_with_a_verb_or_a_noun():
    fragment = r"(Of|What|Whether|That|Those|Where|Which|Who|How|As|Nobody)\b"
    found = [
        f"{path.relative_to(ROOT)} {name}: {text.splitlines()[0]}"
        for path in FILES
        for name, text in docstrings(path)
        if re.match(fragment, text)
    ]
    assert found == []
