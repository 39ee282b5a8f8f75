"""How fast a large run opens in `clew view`, and in how much memory: `python -m benchmarks.viewer [--json] [--quick]`.

A run file is made (searches of some 600 nodes, and a great one; 48 tokens a node with all statistics and the five most
probable tokens), then the real command is started on it. `open_seconds`: from its start until the list of problems and
the first page of the great tree are answered. `peak_rss_mb`: of the server, after paging through all lists, that whole
tree, two hundred texts and the report. `whole_*`: the same list and tree by reading whole results, in a process of its
own that holds them; `open_ratio` and `rss_ratio` are theirs over the server's.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from clew.budget import Spend, Usage
from clew.lab.experiment import make_plan
from clew.plan import Plan
from clew.problem import Answer, Problem
from clew.result import Proposal, Result
from clew.sampling import Stream
from clew.store import Reader, Store, plan_problems, stored_problems
from clew.tree import Finish, Node, Origin, Segment, Tree

TOKENS, TOP = 48, 5
USUAL, GREATEST = 600, 20_000
NODE_BYTES = 4_600
METHODS = ("self_consistency", "beam")
SAID = (
    "First, let me find how much there is in all.",
    "That makes 12 * 7 = 84 for the week.",
    "Wait, that is not right: two of them were given away.",
    "Let me check this: 84 - 2 = 82, as it should be.",
    "We need to subtract what was there before.",
)


def segments(kinds: int = 64) -> list[Segment]:
    """Some segments with random statistics: what makes a file large is how they pack, not what they say."""
    rng, found = np.random.default_rng(0), []
    for i in range(kinds):
        text = " ".join(SAID[(i + j) % len(SAID)] for j in range(5)) + f" So it is {i}.\n"
        places = np.linspace(0, len(text) - 1, TOKENS).astype(np.int32)
        noise = [-rng.exponential(0.7, TOKENS).astype(np.float32) for _ in range(4)]
        top = np.sort(-rng.exponential(2, (TOKENS, TOP)).astype(np.float32))[:, ::-1]
        ids = rng.integers(0, 49_000, (TOKENS, TOP + 1)).astype(np.int32)
        found.append(
            Segment(ids[:, 0], text, places, Finish.STEP, noise[0], -noise[1], -noise[2], noise[3], ids[:, 1:], top)
        )
    return found


def grown(nodes: int, pool: list[Segment], dice: random.Random) -> Tree:
    """A random tree of so many nodes: half of them go on from one of the last few, as searches do."""
    tree, stream = Tree(), Stream("benchmark")
    node = tree.add(None, Segment(np.zeros(9, np.int32), "the problem", np.zeros(9, np.int32)), Origin.PROMPT, stream)
    for i in range(nodes - 1):
        parent = tree[dice.randrange(max(0, len(tree) - 8), len(tree))] if dice.random() < 0.5 else node
        node = tree.add(parent, dice.choice(pool), Origin.SAMPLED, stream, born=9 + TOKENS * i)
        node.scores["value"] = dice.random()
    return tree


def search_of(problem: Problem, plan: Plan, method: str, tree: Tree) -> Result:
    """The tree as a finished search that sampled its leaves, or that searched."""
    leaves: list[Node] = [n for n in tree.nodes if not n.children][:16]
    usage = Usage({("toy", "generate"): Spend(generated=TOKENS * len(tree), prefilled=9, calls=len(tree))}, 1.0)
    answer = Answer("12", leaves[-1].solution, 0.5, leaves[-1])
    samples = tuple(n.id for n in leaves) if method.startswith("self_consistency") else ()
    made = [Proposal(Answer("12", "", None, n), usage) for n in leaves[:4]]
    return Result(problem, method, 0, plan.budget, answer, 1.0, usage, tree, made, samples)


def make(path: Path, megabytes: float) -> None:
    """Write a run file of at least so many megabytes."""
    pool, dice = segments(), random.Random(0)
    nodes = int(megabytes * 1e6 / NODE_BYTES)
    greatest = min(GREATEST, nodes // 2)
    problems = (nodes - greatest) // (len(METHODS) * USUAL) + 1
    plan = make_plan("add", model="toy:arithmetic", methods=METHODS, budgets=[10**6, 10**7], count=problems)
    with Store.create(path, plan, posed := plan_problems(plan)) as store:
        store.keep(search_of(posed[0], plan, METHODS[1], grown(greatest, pool, dice)))
        for problem in posed:
            for method in METHODS:
                if (problem, method) != (posed[0], METHODS[1]):
                    size = dice.randrange(USUAL // 2, USUAL * 3 // 2)
                    store.keep(search_of(problem, plan, method, grown(size, pool, dice)))


class Server:
    """The real command in a process of its own."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "clew", "view", str(path), "--no-open", "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._url = json.loads(self._process.stdout.readline())["url"]

    def get(self, path: str) -> Any:
        """The answer to a path."""
        with urllib.request.urlopen(f"{self._url}api/{path}", timeout=600) as reply:
            return json.load(reply)

    def all(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        pages = [self.get(f"{path}?after=-1")]
        while pages[-1]["next"] is not None:
            pages.append(self.get(f"{path}?after={pages[-1]['next']}"))
        return pages

    def peak_rss_mb(self) -> float:
        """The most memory that it has held."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024

    def end(self) -> None:
        """As Ctrl-C does."""
        self._process.terminate()
        self._process.wait(30)


def opened(path: Path) -> dict[str, float]:
    """What the viewer takes."""
    begun = time.perf_counter()
    server = Server(path)
    server.get("runs")
    server.get("runs/0/problems?after=-1")
    server.get("runs/0/results/1/nodes?after=-1")
    found = {"open_seconds": time.perf_counter() - begun}
    problems, results = server.all("runs/0/problems"), server.all("runs/0/results")
    begun = time.perf_counter()
    server.get("runs/0/report")
    found["report_seconds"] = time.perf_counter() - begun
    begun = time.perf_counter()
    tree = server.all("runs/0/results/1/nodes")
    found["tree_seconds"] = time.perf_counter() - begun
    dice, searches = random.Random(1), [i for page in results for i in page["id"]]
    begun = time.perf_counter()
    for _ in range(200):
        search = dice.choice(searches)
        server.get(f"runs/0/results/{search}")
        server.get(f"runs/0/results/{search}/nodes/{dice.randrange(1, USUAL // 2)}?from=0")
    found["text_ms"] = (time.perf_counter() - begun) / 200 * 1000
    found["peak_rss_mb"] = server.peak_rss_mb()
    found["problems"] = sum(len(page["id"]) for page in problems)
    found["nodes"] = server.get("runs")[0]["nodes"]
    found["tree_nodes"] = sum(len(page["id"]) for page in tree)
    server.end()
    return found


def whole(path: Path) -> None:
    """The same questions by reading whole results; prints seconds and megabytes."""
    begun = time.perf_counter()
    with Reader.open(path) as store:
        results = list(store.results(stored_problems(store)))
    assert max(len(r.tree) for r in results) > 2000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([time.perf_counter() - begun, peak]))


def measure(path: Path) -> dict[str, float]:
    """Both ways, one after the other."""
    found = {"file_mb": path.stat().st_size / 1e6} | opened(path)
    command = [sys.executable, "-m", "benchmarks.viewer", "--whole", str(path)]
    seconds, peak = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    found |= {"whole_seconds": seconds, "whole_rss_mb": peak}
    found |= {"open_ratio": seconds / found["open_seconds"], "rss_ratio": peak / found["peak_rss_mb"]}
    return {k: round(v, 2) for k, v in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=1000, help="the size of the run file")
    parser.add_argument("--keep", type=Path, help="make the file here, or take it from here, and keep it")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="100 MB")
    parser.add_argument("--whole", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.whole:
        whole(given.whole)
        sys.exit()
    with TemporaryDirectory() as folder:
        file = given.keep or Path(folder) / "run.db"
        if not file.exists():
            make(file, 100 if given.quick else given.mb)
        measured = measure(file)
    print(json.dumps(measured) if given.json else "\n".join(f"{k}: {v:,}" for k, v in measured.items()))
