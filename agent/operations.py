"""The operations of PROTOCOL.md: which function serves each.

To add an operation, write its handler and add a line here. Every operation runs in a worker; the
router carries frames alone. The worker calls a handler with its WorkerChannel and the request, a
dict. It returns the `ok` of END, or raises RequestError, OSError or MemoryError. A handler that
leaves its worker something to do after END sets `channel.after_end` or `channel.staying`.
"""

from wire.errors import RequestError

# By name: (module, function). A worker imports the module at the first request that needs it,
# because most sessions run commands alone. The router has compiled `processes.execute` already.
OPERATIONS = {
    "exec": ("processes.execute", "run_command"),
    "own_programs": ("processes.own_programs", "find_first_other"),
    "usage": ("processes.usage", "measure_usage"),
    "mark_claimed": ("supervisor.claim_mark", "mark_claimed"),
    "provide_files": ("surroundings.provide", "provide_files"),
    "job_start": ("jobs.job_operations", "start_job"),
    "job_list": ("jobs.job_operations", "list_jobs"),
    "job_stat": ("jobs.job_operations", "stat_job"),
    "job_output": ("jobs.job_operations", "read_output"),
    "job_stream": ("jobs.job_operations", "stream_output"),
    "job_stdin": ("jobs.job_operations", "write_stdin"),
    "job_signal": ("jobs.job_operations", "send_signal"),
    "job_resize": ("jobs.job_operations", "resize_terminal"),
    "job_delete": ("jobs.job_operations", "delete_job"),
    "list_ports": ("streams.ports", "list_ports"),
    "list": ("files.listing", "list_directory"),
    "read": ("files.reading", "read_file"),
    "write": ("files.writing", "write_file"),
    "delete": ("files.deleting", "delete_path"),
    "stat": ("files.listing", "stat_path"),
    "move": ("files.moving", "move_path"),
    "mkdir": ("files.moving", "make_directory"),
    "search": ("files.search.search", "search_files"),
    "edit": ("files.editing.editing", "edit_file"),
    "pack": ("archives.pack", "pack_path"),
    "unpack": ("archives.unpack", "unpack_archive"),
}

# Those after which PID 1 measures the disk, if it bounds it.
CHANGING_FILES = frozenset(("write", "delete", "move", "mkdir", "edit", "unpack"))


def find_handler(name):
    """Returns the function that serves an operation. Raises RequestError if there is none."""
    if name not in OPERATIONS:
        raise RequestError("INTERNAL_ERROR", "The agent has no such operation.")
    module, function = OPERATIONS[name]
    return getattr(__import__(module, fromlist=(function,)), function)
