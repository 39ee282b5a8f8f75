"""The command line: a file a command, or a few that belong together. `main` is the entry point."""
