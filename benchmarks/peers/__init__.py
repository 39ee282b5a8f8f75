"""Peers on the same work. Each has a virtual environment of its own, `.peers/NAME`, and is never a dependency."""
