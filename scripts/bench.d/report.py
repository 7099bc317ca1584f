"""Medians, ratios, the table, and the budget."""

import json
import statistics

MEDIAN = statistics.median


def compare(rounds):
    """One row from pairs of samples, ours first: the medians of the ratios within each round, and their spread."""
    rates = [ours["rate"] / theirs["rate"] for ours, theirs in rounds if theirs["rate"]]
    ratio = lambda field: MEDIAN(ours[field] / theirs[field] if theirs[field] else float("nan") for ours, theirs in rounds)
    middle = lambda side, field: MEDIAN(pair[side][field] for pair in rounds)
    return {
        "rate": MEDIAN(rates), "low": min(rates), "high": max(rates), "cpu": ratio("cpu"),
        "p50": [middle(0, "p50"), middle(1, "p50")], "p99": [middle(0, "p99"), middle(1, "p99")],
        "peak": [max(pair[side]["peak"] for pair in rounds) for side in (0, 1)],
        "errors": sum(sample["errors"] + sample["broken"] for pair in rounds for sample in pair),
        "seen": [[sample["rate"] for sample in pair] for pair in rounds],
        "cost": [middle(0, "cpu"), middle(1, "cpu")],
    }


def span(micros):
    return f"{micros:.0f} µs" if micros < 10_000 else f"{micros / 1e3:.0f} ms"


def table(rows):
    lines = [
        "| workload | against | rate | (of the rounds) | CPU per unit | p50 | p99 | peak memory | errors |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, against, row in rows:
        lines.append(
            f"| {name} | {against} | **{row['rate']:.2f}** | {row['low']:.2f}–{row['high']:.2f} | **{row['cpu']:.2f}** | "
            f"{span(row['p50'][0])} / {span(row['p50'][1])} | {span(row['p99'][0])} / {span(row['p99'][1])} | "
            f"{row['peak'][0]:.0f} / {row['peak'][1]:.0f} MB | {row['errors']} |")
    return "\n".join(lines)


def herd(rows):
    return "\n".join(
        f"- {row['clients']} clients on one cold object of 10 MB, {row['who']}: {row['gets']} GET upstream, "
        f"{row['peak']:.0f} MB at the peak, {row['requests']} whole answers, {row['errors']} errors, {row['seconds']:.1f} s"
        for row in rows)


def start(found):
    return (f"- ready after {found['ready_ms']:.0f} ms on an existing store (worst {found['ready_ms_worst']:.0f} ms), "
            f"{found['idle_mb']:.1f} MB idle, the program {found['binary_mb']:.1f} MB")


def log(found):
    return f"- the access log: {found['rows']:,} rows of {found['requests']:,} requests, {found['dropped']:,} counted as lost"


def over_budget(budget, rows, herds, startup, logged):
    """What is beyond the budget, in words."""
    said = []
    for name, against, row in rows:
        limits = budget["ratios"].get(f"{name} / {against}", {})
        if row["rate"] < limits.get("rate_at_least", 0):
            said.append(f"{name}: rate {row['rate']:.2f} of {against}, at least {limits['rate_at_least']}")
        if row["cpu"] > limits.get("cpu_at_most", float("inf")):
            said.append(f"{name}: CPU {row['cpu']:.2f} of {against}, at most {limits['cpu_at_most']}")
        if row["errors"]:
            said.append(f"{name}: {row['errors']} errors")
    for row in herds[:1]:
        if row["gets"] > budget["herd_gets"] or row["peak"] > budget["herd_peak_mb"] or row["errors"]:
            said.append(f"herd: {row['gets']} GETs, {row['peak']:.0f} MB, {row['errors']} errors")
    if logged["rows"] + logged["dropped"] != logged["requests"] or logged["dropped"] > logged["requests"] * budget["log_dropped"]:
        said.append(f"access log: {logged}")
    for name, limit in budget["startup"].items():
        if startup and startup[name] > limit:
            said.append(f"{name}: {startup[name]:.1f}, at most {limit}")
    return said


def dump(path, rows, herds, startup, logged):
    path.write_text(json.dumps({"rows": rows, "herd": herds, "startup": startup, "log": logged}, indent=1))
