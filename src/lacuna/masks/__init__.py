"""Masks: anything that says what is missing becomes a hole, in which True is missing."""

from lacuna.masks.hole import to_hole

__all__ = ["to_hole"]
