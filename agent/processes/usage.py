"""usage: how much the sandbox uses of its memory, its CPUs and its disk, as the kernel tells."""

import os
import time

from processes import disk_limits

_WORKSPACE = "/workspace"
_CPU_SECONDS = 0.2
_MAX_BYTES = 8192

# The engine mounts the sandbox's own cgroup there: of version 2, or of version 1.
_CGROUP = "/sys/fs/cgroup/"
_CPU = (("cpu.stat", b"usage_usec", 1), ("cpuacct/cpuacct.usage", None, 1000))
_MEMORY = (("memory.current", None, 1), ("memory/memory.usage_in_bytes", None, 1))
_CACHE = (("memory.stat", b"file", 1), ("memory/memory.stat", b"total_cache", 1))
_SHARED = (("memory.stat", b"shmem", 1), ("memory/memory.stat", b"total_shmem", 1))


def measure_usage(channel, request):
    """Null is what the kernel does not tell, as under gVisor."""
    disk_limits.measure_soon()
    cpu_us = _read(_CPU)
    began = time.monotonic()
    time.sleep(_CPU_SECONDS)
    later_us = _read(_CPU)
    elapsed_us = int((time.monotonic() - began) * 1e6)
    known = cpu_us is not None and later_us is not None
    cpu = {"used_us": later_us - cpu_us, "elapsed_us": elapsed_us} if known else None
    return {"cpu": cpu, "memory": _memory(), "disk": _disk()}


def _memory():
    """What is in memory file systems counts as used, and not as a cache: it cannot be dropped."""
    current, cache, shared = _read(_MEMORY), _read(_CACHE), _read(_SHARED)
    if current is None:
        return None
    # The three are read one after the other, and change meanwhile.
    cache = min(current, max(0, (cache or 0) - (shared or 0)))
    return {"used": current - cache, "cache": cache}


def _disk():
    """`free` if PID 1 bounds the disk. Its file system is the host's then, or has a quota."""
    if disk_limits.is_bounded():
        free = disk_limits.free_bytes()
        return {"free": disk_limits.measured_again(lambda now: now is not None) if free is None else free}
    found = os.statvfs(_WORKSPACE)
    return {"free": found.f_bfree * found.f_frsize, "size": found.f_blocks * found.f_frsize}


def _read(places):
    """Returns the first value that is there: (file, its key or None if it is alone, divisor)."""
    for file, key, divisor in places:
        try:
            with open(_CGROUP + file, "rb") as source:
                text = source.read(_MAX_BYTES)
            return int(text if key is None else _value(text, key)) // divisor
        except (OSError, ValueError):
            pass
    return None


def _value(text, key):
    for line in text.split(b"\n"):
        name, _, value = line.partition(b" ")
        if name == key:
            return value
    raise ValueError
