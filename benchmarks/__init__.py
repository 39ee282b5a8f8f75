"""What measures speed. Each is `python -m benchmarks.NAME [--json] [--quick]` and compares two things in one run."""
