"""Methods that draw the hole step by step from noise: one thin adapter per method."""
