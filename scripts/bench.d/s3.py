"""Hits through S3: redirected, against streamed by us. Needs the variables of `scripts/stores`."""

import subprocess
import urllib.parse

import machine
import servers


def comparisons(bench, url):
    """Yields as the workloads do. `url` is that of IT_S3_URL."""
    parts = urllib.parse.urlsplit(url)
    endpoint = f"http://{parts.hostname}:{parts.port}"
    bucket = f"bench-{machine.free_port()}"
    subprocess.run(["curl", "-sS", "--fail", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:s3",
                    "--user", f"{parts.username}:{parts.password}", "-X", "PUT", f"{endpoint}/{bucket}"], check=True)
    ours = bench.run(servers.Ours(bench.binary, bench.folder / "ours-s3", bench.cpus, env={
        "MINIO_ENDPOINT": endpoint, "MINIO_BUCKET": bucket,
        "MINIO_ACCESS_KEY": parts.username, "MINIO_SECRET_KEY": parts.password}))
    ours.remote("files", "generic", bench.upstream)
    ours.remote("sent", "generic", bench.upstream, redirect_hits=True)
    for name, size in (("20k.bin", "20 KB"), ("100m.bin", "100 MB")):
        streamed, sent = (ours.url(f"/api/v1/remote/{remote}/{name}") for remote in ("files", "sent"))
        for remote, warm in (("files", streamed), ("sent", sent)):
            servers.ask(warm)
            stored = lambda: name in {item["path"] for item in ours.admin("GET", f"/api/v2/remotes/{remote}/objects")["items"]}
            machine.wait(f"{name} is in the bucket", stored)
        unit, load = ("requests", bench.misses) if size == "20 KB" else ("GB", lambda url: bench.gigabytes(url, 8))
        yield f"hit of {size} through S3, redirected", "streamed", unit, (ours, load(sent)), (ours, load(streamed))
