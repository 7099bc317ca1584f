"""Processes and what they cost: CPU time, peak memory, ports, the machine's own state."""

import atexit
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

HZ = os.sysconf("SC_CLK_TCK")
NEEDED = ("nginx", "wrk", "curl", "taskset", "cargo")


def need():
    missing = [command for command in NEEDED if not shutil.which(command)]
    if missing:
        raise SystemExit(f"bench: missing: {', '.join(missing)} (Debian: nginx-light, wrk, curl, util-linux)")


def halves():
    """The CPUs of the servers and those of the clients, as taskset names them."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        return str(cpus[0]), str(cpus[0]), 1
    half = len(cpus) // 2
    name = lambda part: ",".join(map(str, part))
    return name(cpus[:half]), name(cpus[half:]), half


def family(pid):
    """A process and its children."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [child for text in (task / "children").read_text().split() for child in family(int(text))]
        except OSError:
            pass
    return found


def cpu(pid):
    """Seconds of CPU that a process and its children have used."""
    total = 0
    for one in family(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / HZ


def memory(pid, field="VmHWM"):
    """Megabytes of a process and its children; the peak since `forget_peak`, or another field of status."""
    total = 0
    for one in family(pid):
        for line in pathlib.Path(f"/proc/{one}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                total += int(line.split()[1])
    return total / 1024


def forget_peak(pid):
    for one in family(pid):
        try:
            pathlib.Path(f"/proc/{one}/clear_refs").write_text("5")
        except OSError:
            pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server: started on its CPUs, ended by its number."""

    def __init__(self, command, cpus, log, env=None):
        clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.log = log
        self.child = subprocess.Popen(
            ["taskset", "-c", cpus, *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=log.open("ab"), stderr=subprocess.STDOUT,
            env={**clean, **(env or {})}, start_new_session=True,
        )
        self.pid = self.child.pid
        # However the comparison ends, its servers end with it.
        atexit.register(self.stop)

    def check(self):
        if self.child.poll() is not None:
            raise SystemExit(f"bench: a server ended\n{self.log.read_text(errors='replace')[-2000:]}")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def wait(what, probe, process=None, limit=60, step=0.02):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if process:
            process.check()
        found = probe()
        if found:
            return found
        time.sleep(step)
    raise SystemExit(f"bench: waited in vain: {what}")


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
        return True
    except OSError:
        return False


def steal():
    """CPU time that others took, and all of it, in ticks."""
    fields = [int(text) for text in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return fields[7], sum(fields[:8])


def describe():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    control = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}, TCP {control}"
