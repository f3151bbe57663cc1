"""The rules that the agent's source files keep."""

import ast
import importlib.machinery
import os
import sys
import unittest

import harness

# By room, the rooms that it may import. Imports point one way.
_MAY_IMPORT = {
    "wire": set(),
    "processes": {"wire"},
    "jobs": {"wire", "processes"},
    "files": {"wire", "processes"},
    "archives": {"wire", "files"},
    "supervisor": {"wire", "processes", "files", "operations"},
    "operations": {"wire"},
    "main": {"wire", "processes", "supervisor"},
}


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


class RoomsTest(unittest.TestCase):
    def test_a_room_imports_the_rooms_below_it_alone(self):
        for file in harness.module_files():
            room = file.partition("/")[0].replace(".py", "")
            imported = set(_imported(ast.parse(_source(file)))) & _MAY_IMPORT.keys()
            self.assertLessEqual(imported - {room}, _MAY_IMPORT[room], file)

    def test_no_room_has_the_name_of_a_module_of_the_standard_library(self):
        library = [path for path in sys.path if path and os.path.dirname(os.__file__) in (path, os.path.dirname(path))]
        self.assertIsNotNone(importlib.machinery.PathFinder.find_spec("json", library))
        for room in _MAY_IMPORT:
            self.assertNotIn(room, sys.builtin_module_names)
            self.assertIsNone(importlib.machinery.PathFinder.find_spec(room, library), room)


if __name__ == "__main__":
    unittest.main()
