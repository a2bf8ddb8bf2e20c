"""Holds listening sockets as a service manager does: prints their ports, and starts the program with them as LISTEN_FDS
each time a line is read; prints the new process's id."""

import os
import socket
import subprocess
import sys

log, names, *command = sys.argv[1:]
held = []
for _ in names.split(":"):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    held.append(listener)
print(*(listener.getsockname()[1] for listener in held), flush=True)

children = []


def pass_sockets():
    # From 3 on, by way of high numbers, so that none is overwritten before its turn.
    high = [os.dup2(listener.fileno(), 100 + n) for n, listener in enumerate(held)]
    for n, descriptor in enumerate(high):
        os.dup2(descriptor, 3 + n)


for _ in sys.stdin:
    script = 'export LISTEN_PID=$$; exec "$@"'
    children.append(
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "sh", "-c", script, "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=open(log, "a"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "LISTEN_FDS": str(len(held)), "LISTEN_FDNAMES": names},
            preexec_fn=pass_sockets,
            pass_fds=range(3, 3 + len(held)),
        )
    )
    print(children[-1].pid, flush=True)
