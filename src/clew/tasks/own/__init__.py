"""The tasks whose problems clew draws itself. Each file registers its own, and the registry finds it by itself."""
