"""One trainer for every net: recipes, budgets, exact resume.

`train` runs a `Recipe`. Importing this package loads no torch; its functions do.
"""
