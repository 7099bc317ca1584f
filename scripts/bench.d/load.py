"""Load: wrk for many small answers, the sink for large bodies, and what one sample of either is."""

import json
import re
import subprocess

import machine

UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


def micros(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def wrk(cpus, url, connections, seconds, headers=()):
    fields = [word for header in headers for word in ("-H", header)]
    out = subprocess.run(
        ["taskset", "-c", cpus, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", *fields, url],
        capture_output=True, text=True, check=True).stdout
    pick = lambda pattern: re.search(pattern, out)
    bad = pick(r"Non-2xx or 3xx responses: (\d+)")
    errors = pick(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
    requests = int(pick(r"(\d+) requests in")[1])
    return {
        "rate": float(pick(r"Requests/sec:\s+([\d.]+)")[1]), "units": max(requests, 1), "requests": requests,
        "p50": micros(pick(r"\n\s+50%\s+(\S+)")[1]), "p99": micros(pick(r"\n\s+99%\s+(\S+)")[1]),
        "errors": int(bad[1]) * bool(bad) if bad else 0, "broken": sum(map(int, errors.groups())) if errors else 0,
    }


def sink(program, cpus, url, connections, seconds, requests=0, unit="requests", pause=0):
    """`unit`: what the rate counts, requests or gigabytes."""
    address, path = url.removeprefix("http://").split("/", 1)
    out = subprocess.run(["taskset", "-c", cpus, program, address, "/" + path, str(connections), str(seconds), str(requests),
                          str(pause)],
                         capture_output=True, text=True, check=True).stdout
    said = json.loads(out)
    units = said["requests"] if unit == "requests" else said["bytes"] / 1e9
    return {
        "rate": units / said["seconds"], "units": max(units, 1e-9), "requests": said["requests"],
        "p50": said["first_p50"] if unit != "requests" else said["whole_p50"],
        "p99": said["first_p99"] if unit != "requests" else said["whole_p99"],
        "errors": said["errors"], "broken": 0, "seconds": said["seconds"],
    }


def sample(server, load):
    """One measurement with what it cost the server: CPU microseconds per unit and megabytes at the peak."""
    machine.forget_peak(server.pid)
    before = machine.cpu(server.pid)
    said = load()
    said["cpu"] = (machine.cpu(server.pid) - before) / said["units"] * 1e6
    said["peak"] = machine.memory(server.pid)
    return said
