"""Experiments over many searches: plans, comparisons, statistics, reports, and the work of most commands."""
