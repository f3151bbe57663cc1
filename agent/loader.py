"""The end of the bundle (PROTOCOL.md, "Bootstrap"): makes MODULES importable, starts the agent."""

import sys
from _frozen_importlib import ModuleSpec

MODULES, DIRECT = globals()["MODULES"], globals()["DIRECT"]
PACKAGES = {name.rpartition(".")[0] for name in MODULES}
globals().pop("s", None)  # the bootstrap's copy of the bundle


class BundleImporter:
    """Compiles a module of the bundle when it is first imported.

    So an agent that serves no file operation never compiles those modules.
    """

    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, BundleImporter, is_package=name in PACKAGES) if name in MODULES else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        exec(compile(MODULES[module.__name__], module.__name__ + ".py", "exec"), module.__dict__)


sys.meta_path.insert(0, BundleImporter)

import main  # noqa: E402

main.run(DIRECT)
