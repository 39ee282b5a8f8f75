"""Token-level methods: grammars, guards, banned phrases, and tokens that delete the one before."""
