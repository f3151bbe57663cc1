"""Starting a shell: which program, with which environment."""

import os

import _signal as signal  # see waiting.py

from processes import disk_limits
from wire.errors import RequestError

_RESET_SIGNALS = tuple(number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP))


def _image_environment():
    """Returns this process's environment, less what the engine adds to the image's.

    os.environ would not do, because Python adds LC_CTYPE to it in an image without a locale. It
    runs when this module is imported. Once the agent is not dumpable, it could not open the file
    any more.
    """
    with open("/proc/self/environ", "rb") as file:
        pairs = [entry.partition(b"=") for entry in file.read().split(b"\0")]
    return {name: value for name, equals, value in pairs if name and equals and name not in (b"HOSTNAME", b"TERM")}


IMAGE_ENVIRONMENT = _image_environment()
_IMAGE_PATH = IMAGE_ENVIRONMENT.get(b"PATH", os.fsencode(os.defpath))

# A command finds programs of its own first: pip, npm -g, cargo and go put theirs there
# (container-spec.ts). The agent itself looks for shells on the image's PATH alone.
COMMAND_PATH = b"/workspace/.local/bin:" + _IMAGE_PATH
_COMMAND_ENVIRONMENT = dict(IMAGE_ENVIRONMENT)
_COMMAND_ENVIRONMENT[b"PATH"] = COMMAND_PATH

_TEMPORARY_DIRECTORY = IMAGE_ENVIRONMENT.get(b"TMPDIR")

_shells = {}  # by what a request may want: (name, path), or None if the image has none


def encode(text):
    """Returns the bytes of a text that the host sent."""
    return text.encode("utf-8", "surrogateescape")


def find_program(name, search_path=_IMAGE_PATH):
    """Returns the first executable file of that name on a PATH, or None. All are bytes."""
    for directory in search_path.split(b":"):
        candidate = os.path.join(directory, name)
        if directory.startswith(b"/") and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    return None


def _find_shell(wanted):
    """Returns (name, path) of the shell that runs a request. `wanted` is sh, bash or bash-or-sh."""
    if wanted not in _shells:
        names = wanted.split("-or-")
        found = ((name, find_program(encode(name))) for name in names)
        _shells[wanted] = next(((name, path) for name, path in found if path is not None), None)
    if _shells[wanted] is None:
        raise RequestError("SHELL_NOT_AVAILABLE", "The image has no %s." % wanted)
    return _shells[wanted]


def start_shell(request, stdin, stdout, stderr):
    """Starts the request's command in a session of its own. Returns its pid.

    The command gets those three descriptors alone, and default signals. The working directory of
    this process is / afterwards. Raises RequestError and OSError.
    """
    # A worker's own stdin needs no copy: the command inherits it.
    return _spawn(request, {}, [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate((stdin, stdout, stderr)) if fd != target])


def start_shell_on_terminal(request, name):
    """As `start_shell`, on the terminal of that name.

    The first terminal that the leader of a session opens is its controlling one. What is typed
    there is remembered for the session's other terminals, but not among the user's files.
    """
    opening = (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0)
    return _spawn(request, {b"TERM": b"xterm-256color", b"HISTFILE": b"/tmp/.bash_history"}, [opening, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)])


def _make_temporary_directory():
    """Makes TMPDIR, if the engine or the image sets it. Programs expect it to be there."""
    if _TEMPORARY_DIRECTORY is not None:
        try:
            os.mkdir(_TEMPORARY_DIRECTORY, 0o700)
        except OSError:
            pass  # it is there; or a command has put something else there, or the disk is full


def _spawn(request, more_environment, file_actions):
    name, program = _find_shell(request["shell"])
    disk_limits.begin_command()
    _make_temporary_directory()
    argv = [encode(name), b"-c", b"--", encode(request["command"])]
    env = dict(_COMMAND_ENVIRONMENT)
    env.update(more_environment)
    for name, value in request["env"].items():
        env[encode(name)] = encode(value)
    settings = {"file_actions": file_actions, "setsigmask": (), "setsigdef": _RESET_SIGNALS}
    try:
        os.chdir(encode(request["cwd"]))
    except (OSError, ValueError):
        raise RequestError("INVALID_WORKING_DIR", "The working directory does not exist or cannot be entered.")
    try:
        return os.posix_spawn(program, argv, env, setsid=True, **settings)
    except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
        return os.posix_spawn(program, argv, env, setpgroup=0, **settings)
    finally:
        os.chdir("/")
