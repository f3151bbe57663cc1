"""/proc, in which everything may vanish between two looks."""

import os


def names(directory):
    try:
        return os.listdir(directory)
    except OSError:
        return []


def read(path):
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(65536)
    except OSError:
        return b""
