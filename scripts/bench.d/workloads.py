"""The workloads: what is asked, of whom, and what it is compared with."""

import json
import random
import subprocess
import time

import load
import machine
import servers

BIG_PAGE = 40_000
HTML = "Accept: text/html"
JSON = "Accept: application/vnd.pypi.simple.v1+json"


class Bench:
    """Everything that runs during a comparison."""

    def __init__(self, binary, sink, folder, seconds, gigabyte):
        self.binary, self.sink, self.folder, self.seconds = binary, sink, folder, seconds
        self.cpus, self.client_cpus, workers = machine.halves()
        self.files = folder / "files"
        self.running = []
        make_files(self.files, gigabyte)
        self.upstream = self.run(servers.Nginx(
            "upstream", folder, self.client_cpus, files=self.files, filler="x" * 2044))
        self.nginx = self.run(servers.Nginx("nginx", folder, self.cpus, workers, files=self.files, upstream=self.upstream.port))
        self.ours = self.run(servers.Ours(binary, folder / "ours", self.cpus, workers))
        self.ours.remote("files", "generic", self.upstream)
        self.ours.remote("pypi", "pypi", self.upstream)
        self.ours.local("mine", "generic")

    def run(self, server):
        self.running.append(server)
        return server

    def stop(self):
        for server in reversed(self.running):
            server.stop()

    # --- what is asked

    def wrk(self, url, connections, headers=()):
        return lambda: load.wrk(self.client_cpus, url, connections, self.seconds, headers)

    def gigabytes(self, url, connections):
        return lambda: load.sink(self.sink, self.client_cpus, url, connections, self.seconds, unit="gigabytes")

    def misses(self, url):
        """`{}` in the URL is a number of its own for each request of each run."""
        return lambda: load.sink(self.sink, self.client_cpus, url.replace("{}", f"{time.time_ns()}-{{}}"), 1, self.seconds, pause=5)

    def put(self, url, headers=()):
        def once():
            fields = [word for header in headers for word in ("-H", header)]
            begun = time.perf_counter()
            out = subprocess.run(
                ["taskset", "-c", self.client_cpus, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:",
                 *fields, "-T", str(self.files / "100m.bin"), url], capture_output=True, text=True, check=True).stdout
            took = time.perf_counter() - begun
            return {"rate": 0.1 / took, "units": 0.1, "requests": 1, "p50": took * 1e6, "p99": took * 1e6,
                    "errors": int(not out.startswith("2")), "broken": 0}
        return once

    def mine(self, path):
        return self.ours.url("/api/v1/remote/files" + path)

    def page(self, name):
        return self.ours.url(f"/api/v1/remote/pypi/simple/{name}/")

    # --- the comparisons: name, what it is against, and the two servers with their loads

    def small(self, connections):
        for name, size in (("2k.bin", "2 KB"), ("20k.bin", "20 KB")):
            for count in connections:
                yield (f"hit of {size}, {count} connections", "proxy_cache", "requests",
                       (self.ours, self.wrk(self.mine(f"/{name}"), count)),
                       (self.nginx, self.wrk(self.nginx.url(f"/cache/{name}"), count)))

    def index(self, connections=64):
        yield ("hit of an index of 20 files", "proxy_cache", "requests",
               (self.ours, self.wrk(self.page("little"), connections, [JSON])),
               (self.nginx, self.wrk(self.nginx.url("/cache/simple/little/"), connections)))

    def large(self, names, clients):
        for name, size in names:
            # Fetched once to the end before anybody counts.
            load.sink(self.sink, self.client_cpus, self.mine(f"/{name}"), 1, 300, 1)
            for count in clients:
                yield (f"hit of {size}, {count} clients", "sendfile", "GB",
                       (self.ours, self.gigabytes(self.mine(f"/{name}"), count)),
                       (self.nginx, self.gigabytes(self.nginx.url(f"/static/{name}"), count)))

    def missed(self):
        ours = (self.ours, self.misses(self.mine("/miss/{}")))
        yield ("miss of 20 KB, 5 ms after the last", "direct", "requests", ours,
               (self.upstream, self.misses(self.upstream.url("/miss/{}"))))
        yield ("miss of 20 KB, 5 ms after the last", "proxy_cache", "requests", ours,
               (self.nginx, self.misses(self.nginx.url("/cache/miss/{}"))))

    def pages(self, connections=8):
        for form, header in (("JSON", JSON), ("HTML", HTML)):
            # A static file with the very bytes of our answer.
            status, _, body = servers.ask(self.page("big"), headers=dict([header.split(": ")]))
            if status != 200:
                raise SystemExit(f"bench: the large page is answered with {status}: {body[:200]}")
            (self.files / f"big.{form}").write_bytes(body)
            yield (f"page of {BIG_PAGE:,} files ({form}, {len(body) / 1e6:.1f} MB), {connections} connections",
                   "a static file", "requests",
                   (self.ours, self.wrk(self.page("big"), connections, [header])),
                   (self.nginx, self.wrk(self.nginx.url(f"/static/big.{form}"), connections)))

    def puts(self):
        token = [f"Authorization: Bearer {servers.TOKEN}"]
        ours = lambda: self.put(self.ours.url(f"/api/v1/remote/mine/{random.random()}/100m.bin"), token)()
        theirs = lambda: self.put(self.nginx.url(f"/put/{random.random()}/100m.bin"))()
        yield "PUT of 100 MB, on the disk and hashed before the answer", "dav, neither", "GB", (self.ours, ours), (self.nginx, theirs)

    # --- what is no comparison

    def herd(self, clients=1000):
        """Many clients on one cold object: peak memory and the GETs that upstream saw."""
        rows = []
        # A process of its own: what earlier workloads have left in memory is not the herd's.
        self.ours.stop()
        self.ours.start()
        for who, server, url in (("ours", self.ours, self.mine("/herd/ours")),
                                 ("proxy_cache", self.nginx, self.nginx.url("/cache/herd/theirs"))):
            log = self.upstream.folder / "herd.log"
            seen = lambda: log.read_text().count("GET") if log.exists() else 0
            before = seen()
            # Once each, so that the peak is that of the flight.
            url += f"-{time.time_ns()}"
            said = load.sample(server, lambda: load.sink(self.sink, self.client_cpus, url, clients, 120, 1, "gigabytes"))
            rows.append({"who": who, "clients": clients, "gets": seen() - before, **said})
        return rows

    def startup(self, rounds):
        """Seconds to ready on the existing store, and megabytes after it."""
        times, idle = [], []
        for _ in range(rounds):
            self.ours.stop()
            times.append(self.ours.start())
            time.sleep(1)
            idle.append(machine.memory(self.ours.pid, "VmRSS"))
        return {"ready_ms": min(times) * 1e3, "ready_ms_worst": max(times) * 1e3, "idle_mb": max(idle),
                "binary_mb": self.binary.stat().st_size / 1e6}


def make_files(folder, gigabyte):
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    block = random.Random(5).randbytes(1 << 20)
    sizes = {"2k.bin": 2048, "20k.bin": 20_480, "10m.bin": 10_000_000, "100m.bin": 100_000_000}
    if gigabyte:
        sizes["1g.bin"] = 1_000_000_000
    for name, size in sizes.items():
        with (folder / name).open("wb") as file:
            while size > 0:
                size -= file.write(block[:size])
    for name, count in (("little", 20), ("big", BIG_PAGE)):
        (folder / f"{name}.json").write_text(json.dumps(index(name, count)))


def index(name, count):
    """A page in the words of the simple API, with the fields that a real one has."""
    draw = random.Random(count)
    files = [{
        "filename": f"{name}-{n // 10}.{n % 10}.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "url": f"/files/{draw.randbytes(16).hex()}/{name}-{n // 10}.{n % 10}.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "hashes": {"sha256": draw.randbytes(32).hex()}, "requires-python": ">=3.8", "size": 1_000_000 + n,
        "upload-time": "2026-01-02T03:04:05.678901Z", "yanked": False, "core-metadata": {"sha256": draw.randbytes(32).hex()},
    } for n in range(count)]
    versions = sorted({f"{n // 10}.{n % 10}.0" for n in range(count)})
    return {"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": files}
