"""The page that `clew view` opens: what it asks for, who serves it, and how it becomes one file."""
