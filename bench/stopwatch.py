"""Runs the command given and prints what it took: wall seconds, CPU seconds, peak KiB, exit code.

A process of its own, started as `python -I -S`: the kernel counts the memory of the process that forks
into the peak of its child, so that the one who forks must be small.
"""

import os
import sys
import time

started = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
wall_s = time.perf_counter() - started
with open(sys.argv[1], "w") as answer:
    code = os.waitstatus_to_exitcode(status)
    answer.write(f"{wall_s} {used.ru_utime + used.ru_stime} {used.ru_maxrss} {code}")
