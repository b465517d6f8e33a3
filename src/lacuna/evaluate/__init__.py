"""The benchmark: every method on every picture and hole, in tables that can be checked."""
