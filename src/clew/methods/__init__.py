"""The methods: one paper, or one family of close variants, a file."""

from clew.methods import best_of_n, first_finish, pass_until, rpc, self_consistency, single

__all__ = ["best_of_n", "first_finish", "pass_until", "rpc", "self_consistency", "single"]
