"""The methods: one paper, or one family of close variants, a file, in a folder for each family.

They are found by walking this package: a new file needs no entry anywhere. `common/` is the toolkit that they share.
"""
