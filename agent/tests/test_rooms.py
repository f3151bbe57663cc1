"""The rules that the agent's source files keep."""

import ast
import importlib.machinery
import io
import os
import sys
import tokenize
import unittest

import harness

# By room, the rooms that it may import. Imports point one way.
_MAY_IMPORT = {
    "wire": set(),
    "disk": set(),  # a program of its own
    "processes": {"wire"},
    "jobs": {"wire", "processes"},
    "files": {"wire", "processes"},
    "archives": {"wire", "files"},
    "names": {"wire"},
    "surroundings": {"processes"},
    "watching": {"wire", "files"},
    "streams": {"wire", "processes", "names", "files", "watching"},
    "supervisor": {"wire", "processes", "files", "streams", "operations"},
    "operations": {"wire"},
    "main": {"wire", "processes", "supervisor"},
}
_MAX_COLUMNS = 100


def _modules():
    return [file for file in harness.source_files() if file not in ("bootstrap.py", "loader.py")]


def _source(file):
    with open(os.path.join(harness.AGENT, file), encoding="ascii") as source:
        return source.read()


def _imported(tree):
    """Yields the first part of the name of each module that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def _comment_lines(text):
    """Yields (line number, line) of each line that holds a comment, or a part of a docstring."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or token.type == tokenize.STRING and token.string.startswith('"""'):
            for number in range(token.start[0], token.end[0] + 1):
                yield number, lines[number - 1]


class RoomsTest(unittest.TestCase):
    def test_imports_in_each_room_only_the_rooms_below_it(self):
        for file in _modules():
            room = file.partition("/")[0].replace(".py", "")
            imported = set(_imported(ast.parse(_source(file)))) & _MAY_IMPORT.keys()
            self.assertLessEqual(imported - {room}, _MAY_IMPORT[room], file)

    def test_gives_no_room_the_name_of_a_module_of_the_standard_library(self):
        root = os.path.dirname(os.__file__)
        library = [root, os.path.join(root, "lib-dynload")]
        self.assertIsNotNone(importlib.machinery.PathFinder.find_spec("json", library))
        for room in _MAY_IMPORT:
            self.assertNotIn(room, sys.builtin_module_names)
            self.assertIsNone(importlib.machinery.PathFinder.find_spec(room, library), room)

    def test_keeps_comments_within_100_columns(self):
        lines = [(file, number, line) for file in [*_modules(), "loader.py"] for number, line in _comment_lines(_source(file))]
        self.assertEqual([each for each in lines if len(each[2]) > _MAX_COLUMNS], [])


if __name__ == "__main__":
    unittest.main()
