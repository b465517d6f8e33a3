"""The methods: one thin adapter per file, grouped in families that never import one another."""
