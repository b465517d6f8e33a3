"""Methods without weights: partial differential equations and exemplars."""
