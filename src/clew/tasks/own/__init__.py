"""Tasks whose problems clew draws itself. Each file registers its own; they are found by walking the package."""
