"""A network and a view of /etc of its own, as a sandbox has them: no interface but loopback."""

import os
import shutil
import subprocess
import sys

# Brings the loopback up, and covers what tells the C library where to ask for names.
_SET_UP = """
import fcntl, os, socket, struct, subprocess, sys
SIOCSIFFLAGS, UP_AND_RUNNING = 0x8914, 0x41
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))
with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w") as file:
    file.write("0")
for covered, cover in (("/etc/resolv.conf", "/dev/null"), ("/etc/nsswitch.conf", sys.argv[1])):
    if os.path.exists(covered):
        subprocess.run(["mount", "--bind", cover, covered], check=True)
print("ready", flush=True)
sys.stdin.read()
"""


class OwnNetwork:
    """Needs no privilege if the kernel lets users have namespaces. Call close() at the end."""

    def __init__(self, directory):
        switch = os.path.join(directory, "nsswitch.conf")
        with open(switch, "w") as file:
            file.write("hosts: files dns\n")
        as_user = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", "--net", "--mount", *as_user, sys.executable, "-c", _SET_UP, switch]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout.readline() == b"ready\n", "there is no network namespace to be had"
        joined = ["--net", "--mount", *(as_user and ["--user", "--preserve-credentials"])]
        # A program that is run with these words in front runs in this network.
        self.prefix = [shutil.which("nsenter"), "--target", str(self._holder.pid), *joined]

    def close(self):
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait()
