"""Methods that watch single tokens: constraints, guards, banned phrases, tokens that go back."""
