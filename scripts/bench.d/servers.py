"""The servers of a comparison: nginx, its and our upstream, and the program itself."""

import contextlib
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import machine

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "bench-admin-token-0123456789abcdef0123456789"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, method="GET", body=None, headers=None):
    """Status, fields and body; nothing but a broken connection raises."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with OPENER.open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class Nginx:
    """nginx with one of the configurations beside this file."""

    def __init__(self, name, folder, cpus, workers=1, **values):
        self.folder, self.port = folder / name, machine.free_port()
        (self.folder / "put").mkdir(parents=True)
        # Workers change to another user where the master is root.
        self.folder.chmod(0o777)
        (self.folder / "put").chmod(0o777)
        text = (HERE / f"{name}.conf.in").read_text()
        for key, value in {**values, "folder": self.folder, "port": self.port, "workers": workers}.items():
            text = text.replace(f"@{key}@", str(value))
        config = self.folder / "nginx.conf"
        config.write_text(text)
        self.process = machine.Process(
            ["nginx", "-p", self.folder, "-e", self.folder / "error.log", "-c", config], cpus, self.folder / "out.log")
        self.pid = self.process.pid
        machine.wait(f"{name} listens", lambda: machine.accepts(self.port), self.process)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self):
        self.process.stop()


class Ours:
    """The program on a folder of its own."""

    def __init__(self, binary, folder, cpus, workers=1, env=None):
        self.binary, self.data, self.cpus = binary, folder, cpus
        self.env = {
            "ARTIFACTAPI_ADMIN_TOKEN": TOKEN, "ARTIFACTAPI_DATA_DIR": str(folder), "LISTEN_ADDR": "127.0.0.1:0",
            "ARTIFACTAPI_SERVER_WORKERS": str(workers), "ARTIFACTAPI_SERVER_DRAIN_SECONDS": "0", **(env or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.process = None
        self.start()

    def start(self):
        """Starts it and waits until it is ready; gives the seconds that took."""
        written = self.data / "address"
        written.unlink(missing_ok=True)
        begun = time.perf_counter()
        self.process = machine.Process([self.binary, "serve"], self.cpus, self.data.with_suffix(".log"), self.env)
        self.pid = self.process.pid
        address = machine.wait("an address", lambda: written.exists() and written.read_text().strip(), self.process, step=0.001)
        self.base = address.rstrip("/")
        self.port = int(self.base.rsplit(":", 1)[1])
        machine.wait("ready", lambda: ask(self.base + "/api/v2/health/ready")[0] == 200, self.process, step=0.001)
        return time.perf_counter() - begun

    def stop(self):
        self.process.stop()

    def url(self, path):
        return self.base + path

    def admin(self, method, path, body=None):
        status, _, answer = ask(self.base + path, method, json.dumps(body).encode() if body is not None else None,
                                {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        if status >= 300:
            raise SystemExit(f"bench: {method} {path}: {status} {answer.decode(errors='replace')}")
        return json.loads(answer or b"null")

    def remote(self, name, kind, upstream, **settings):
        self.admin("POST", "/api/v2/remotes", {
            "name": name, "package_type": kind, "base_url": f"http://127.0.0.1:{upstream.port}/",
            "allow_networks": ["127.0.0.0/8"], "mutable_ttl": 86400, **settings})

    def local(self, name, kind):
        self.admin("POST", "/api/v2/locals", {"name": name, "package_type": kind, "allow_overwrite": True})

    def logged(self):
        """How many requests were counted since the start, how many rows the access log has of them, and how many it lost."""
        time.sleep(1)
        text = ask(self.base + "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})[2].decode()
        count = lambda name: sum(int(float(line.split()[-1])) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'catalog.sqlite'}?mode=ro", uri=True)) as catalog:
            rows = catalog.execute("SELECT count(*) FROM access_log").fetchone()[0]
        return {"requests": count("artifactapi_requests_total"), "rows": rows, "dropped": count("artifactapi_log_dropped_total")}


def build(root):
    """Builds the program for release, and the client; gives both paths."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "--bin", "artifactapi"], cwd=root, check=True)
    return target / "release" / "artifactapi"


def build_sink(root):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "bench"
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(target)],
                   cwd=HERE / "sink", check=True)
    return target / "release" / "sink"
