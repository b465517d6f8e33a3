"""Networks as methods: one thin adapter per network. torch is imported when a method is made, not before."""
