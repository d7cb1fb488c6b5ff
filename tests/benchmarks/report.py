"""Figures as tables, ratios first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.domain.outcomes import Language
from app.runtime.reserve import BURST
from tests.benchmarks.deployment import Latency
from tests.benchmarks.following import Following
from tests.benchmarks.peers import Standing
from tests.benchmarks.scale import Scale
from tests.benchmarks.starts import NodeStarts
from tests.benchmarks.throughput import Comparison
from tests.benchmarks.transparency import Measured
from tests.benchmarks.workers import Figures

_LANGUAGES: Mapping[Language, str] = {"python": "Python", "node": "Node.js"}
_MEDIAN = "median"

_HEAD = """# Benchmarks

Measured by `make bench` (`python -m tests.benchmarks`), which writes this file. Machines differ and
are noisy: read the ratios, which compare things in one run, rather than the absolute figures.

Machine of this run: {machine}.
"""

_THROUGHPUT = """
## Invocations

One server process, everything on: authentication, payload check, full isolation, journal,
provenance. The *echo* is a Starlette route that parses JSON and answers it; *same bytes* is a plain
ASGI application that reads the body and answers the very bytes hookledger does. All run on uvicorn
with uvloop and httptools, in rounds that alternate; figures are medians. Load generator, server and
worker share the machine's cores, so hookledger, with two processes to the echo's one, is at a
disadvantage on a small machine. CPU is that of the server process (and of the workers) per answer.

"""

_WORKERS = """
## Workers

Without HTTP, over the runner.

"""

_PEERS = """
## Others, with the same hook

{connections} connections, in the same rounds. None of the others isolates one hook from another;
workerd and deno keep JavaScript in an isolate of V8.

"""

_FOLLOWING = """
## While others follow

{readers} streams of live log lines are open, of which one is never read; the hook writes a line a
call, so every call reaches every stream. {connections} connections; one server, in turns.

"""

_DEPLOYMENT = """
## From commit to answer

`git commit` has returned → the next answer names the commit; {commits} commits to one of {hooks}
hooks, asked again and again over one connection.

"""


_HISTORY = """
## The history

A log of {events:,} events ({megabytes:,.0f} MB) as a busy server writes it, on SQLite. Memory is the
highest of the whole process.

"""


_SCALE = """
## The size of the repository

Without HTTP: the first sync of a repository with so many hooks, until all are in the table; then
the branch moves by {commits} commits to one hook, each until it is in the table.

"""


def head(machine: str) -> str:
    return _HEAD.format(machine=machine)


def throughput(comparisons: Sequence[Comparison]) -> str:
    return _THROUGHPUT + _table(
        (
            "connections",
            "of echo",
            "of same bytes",
            "CPU above same bytes",
            "req/s ours / echo / same",
            "p50 / p99 ms ours",
            "p50 / p99 ms echo",
            "CPU µs ours (workers) / echo / same",
        ),
        (
            (
                str(c.connections),
                f"**{c.of_echo:.0%}**",
                f"{c.of_same:.0%}",
                f"**{c.added_us:+.0f} µs**",
                f"{c.ours.rate:,.0f} / {c.echo.rate:,.0f} / {c.same.rate:,.0f}",
                f"{c.ours.median_ms:.2f} / {c.ours.p99_ms:.2f}",
                f"{c.echo.median_ms:.2f} / {c.echo.p99_ms:.2f}",
                _cpu(c),
            )
            for c in comparisons
        ),
    )


def _cpu(c: Comparison) -> str:
    ours = f"{c.ours.server_us:.0f} ({c.ours.workers_us:.0f})"
    return f"{ours} / {c.echo.server_us:.0f} / {c.same.server_us:.0f}"


def workers(figures: Figures) -> str:
    sandbox, starts, node = figures.sandbox, figures.starts, figures.starts.node
    rows = [
        (
            f"warm call, isolation {sandbox.level}, against none",
            f"**{sandbox.ratio - 1:+.1%}**",
            f"{sandbox.full_us:.1f} µs against {sandbox.none_us:.1f} µs",
        ),
        ("cold start, Python: never run → first answer", f"**{starts.python_ms:.1f} ms**", _MEDIAN),
        *([("cold start, Node.js", "not run", "there is none")] if node is None else _node(node)),
        (
            "`fresh`: a process for each call, one call after the other",
            f"**{starts.fresh_ms:.1f} ms**",
            _MEDIAN,
        ),
        ("the same, calls 20 ms apart", f"**{starts.fresh_apart_ms:.1f} ms**", _MEDIAN),
        *(
            (
                f"private memory of a warm {_LANGUAGES[language]} hook",
                f"**{memory.private:.1f} MiB**",
                f"median of {memory.hooks}; proportional share {memory.shared_too:.1f} MiB",
            )
            for language, memory in figures.memory.items()
        ),
        *(
            (f"deadline → process gone, {name}", f"**{ms:.0f} ms**", "the worst of several")
            for name, ms in figures.kill_ms.items()
        ),
    ]
    return _WORKERS + _table(("what", "figure", "of what"), rows)


def _node(node: NodeStarts) -> list[tuple[str, str, str]]:
    return [
        (
            "cold start, Node.js, from the reserve",
            f"**{node.reserve_ms:.1f} ms**",
            f"median; `node -e 0` takes {node.floor_ms:.1f} ms",
        ),
        (
            f"the same, {BURST} versions in a row",
            f"**{node.burst_ms:.1f} ms**",
            "the slowest of them, median of bursts",
        ),
        (
            "the same, none in reserve",
            f"**{node.alone_ms:.1f} ms**",
            f"median; {node.alone_ms / node.floor_ms:.1f} x `node -e 0`",
        ),
    ]


def history(measured: Measured) -> str:
    m = measured
    rows = [
        ("reading and decoding alone", "1", f"{m.read:,.0f} events/s"),
        *(
            (what, f"**{rate / m.read:.0%}** of that", f"{rate:,.0f} events/s")
            for what, rate in (
                ("rebuild of the Merkle tree", m.tree),
                ("rebuild of tree and hook table", m.hooks_and_tree),
                ("rebuild of tree, hook table and audit log, indexed", m.everything),
                ("SQLite alone: the audit log's finished rows, and their words", m.audit_rows),
            )
        ),
        ("memory of the rebuild", f"**{m.rebuild_mib:.0f} MiB**", ""),
        (
            "`audit verify`",
            f"**{m.verify_seconds:.1f} s**",
            f"{m.events / m.verify_seconds:,.0f} events/s, {m.verify_mib:.0f} MiB",
        ),
        (
            "inclusion proof",
            f"**{m.inclusion_ms:.2f} ms**",
            f"median; the worst {m.inclusion_worst_ms:.2f} ms",
        ),
        ("consistency proof", f"**{m.consistency_ms:.2f} ms**", "median"),
    ]
    table = _table(("what", "figure", "that is"), rows)
    return _HISTORY.format(events=m.events, megabytes=m.megabytes) + table


def peers(standings: Sequence[Standing], absent: Mapping[str, str], connections: int = 16) -> str:
    rows = [
        (
            s.name,
            f"**{s.ours:.1f} x**" if s.ours != 1 else "1",
            f"{s.figures.rate:,.0f}",
            f"{s.figures.median_ms:.2f} / {s.figures.p99_ms:.2f}",
        )
        for s in standings
    ]
    rows += [(name, "not run", why, "") for name, why in absent.items()]
    table = _table(("server", "hookledger's rate by its rate", "req/s", "p50 / p99 ms"), rows)
    return _PEERS.format(connections=connections) + table


def deployment(latency: Latency) -> str:
    return _DEPLOYMENT.format(commits=latency.commits, hooks=latency.hooks) + _table(
        ("median", "90 % within", "worst", "`git commit` itself, median", "ratio"),
        [
            (
                f"{latency.median_ms:.1f} ms",
                f"{latency.p90_ms:.1f} ms",
                f"{latency.worst_ms:.1f} ms",
                f"{latency.commit_ms:.1f} ms",
                f"{latency.median_ms / latency.commit_ms:.1f}",
            )
        ],
    )


def scale(figures: Sequence[Scale]) -> str:
    rows = [
        (
            f"{s.hooks:,}",
            f"{s.first_seconds:.2f} s",
            f"{s.median_ms:.1f} / {s.p99_ms:.1f} ms",
            f"**{s.median_ms / figures[0].median_ms:.2f}**",
        )
        for s in figures
    ]
    heads = ("hooks", "first sync", "ref moved → visible, p50 / p99", "p50 by that of the smallest")
    return _SCALE.format(commits=figures[0].commits) + _table(heads, rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def following(found: Following) -> str:
    return _FOLLOWING.format(readers=found.readers, connections=found.connections) + (
        "| rate of that without streams | answers/s | p99 ms | CPU µs, server |\n|---|---|---|---|\n"
        f"| **{found.of_alone:.0%}** | {found.followed.rate:,.0f} / {found.alone.rate:,.0f} |"
        f" {found.followed.p99_ms:.1f} / {found.alone.p99_ms:.1f} |"
        f" {found.followed.server_us:.0f} / {found.alone.server_us:.0f} |\n"
    )
