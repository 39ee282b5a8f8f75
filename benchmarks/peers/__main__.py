"""clew beside its peers: `python -m benchmarks.peers [--install] [--json] [--quick] [--only its_hub,optillm]`.

its_hub.particle_filter: its_hub's `ParticleFiltering` and our `particle_filter`, 8 particles, the same process reward.
optillm.majority_voting, optillm.mcts: optillm's and our `self_consistency` (16 samples) and `mcts` (as many tokens as
    optillm's two simulations generated).
treequest.ab_mcts: treequest's `ABMCTSA` and our `ab_mcts`, 8 answers, 4 at a time, the same score.
    Of each: wall_ratio and prefill_ratio (seconds, and prompt tokens computed: the peer's over ours),
    accuracy_difference (ours less the peer's) with a paired 95 % bootstrap interval over problems, and what either
    side took.
its_hub_ratio: see `benchmarks.peers.its_hub`.
    A quick run leaves out this one and optillm.mcts.

Peers talk to llama-server on the model file that clew's engine computes with, on as many threads, with 16 slots,
through one counting proxy. All problems are given at once, to both. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from benchmarks.peers.its_hub import compare
from benchmarks.peers.matches import MATCHES, played
from benchmarks.peers.places import REQUIREMENTS, how_to_install, install, installed

RATIO = "its_hub.ratio"
KEYS = (*(match.key for match in MATCHES), RATIO)


def chosen(names: list[str]) -> list[str]:
    """The keys that were asked for by name or by peer."""
    return [key for key in KEYS if key in names or key.split(".")[0] in names]


def measured(keys: list[str], quick: bool) -> dict[str, Any]:
    """The figures; for a peer that is not installed, how to install it."""
    found: dict[str, Any] = {}
    for match in MATCHES:
        if match.key not in keys or (quick and not match.quick):
            continue
        if not installed(match.peer):
            found[match.key] = how_to_install(match.peer)
            continue
        print(f"{match.key} ...", file=sys.stderr, flush=True)
        found[match.key] = asyncio.run(played(match, quick))
    if RATIO in keys and not quick:
        print(f"{RATIO} ...", file=sys.stderr, flush=True)
        found |= compare()
    return found


def main() -> None:
    """Run what the module's first lines say."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="make the peers' virtual environments first")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="one or two problems of each peer, under a minute")
    parser.add_argument("--only", default=",".join(REQUIREMENTS), help="peers, or peer.method, separated by commas")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := set(names) - {*REQUIREMENTS, *KEYS}:
        parser.error(f"nothing is called {', '.join(sorted(unknown))}: choose from {', '.join((*REQUIREMENTS, *KEYS))}")
    keys = chosen(names)
    if options.install:
        for peer in dict.fromkeys(key.split(".")[0] for key in keys):
            install(peer)
    found = measured(keys, options.quick)
    if not found:
        parser.error(f"a quick run leaves out {', '.join(keys)}")
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        if isinstance(value, dict):
            print(key)
            print("\n".join(f"  {k:22} {v}" for k, v in value.items()))
        else:
            print(f"{key:28} {value}")


if __name__ == "__main__":
    main()
