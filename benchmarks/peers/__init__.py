"""clew beside its peers on the same work; see `benchmarks.peers.__main__`.

Each peer has a virtual environment of its own in clew's cache and is never a dependency. `drivers` holds what runs
inside those environments.
"""
