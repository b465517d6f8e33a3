"""Masks: anything that says what is missing becomes a hole, in which True is missing.

`to_hole` is the door. Masks can be made without a file too, and combined before any picture is there:

>>> from lacuna import masks
>>> mask = (masks.box(10, 10, 200, 80) - masks.ellipse(50, 50, 20)).dilate(4)
>>> print(mask)
box:10,10,200,80 - ellipse:50,50,20,20 | dilate 4
>>> masks.parse(str(mask)) == mask
True

`lacuna.masks.random` draws masks for training and evaluation; `lacuna.masks.doctor` says what is wrong
with a mask.
"""

from lacuna.masks.click import click
from lacuna.masks.coco import coco
from lacuna.masks.detected import detected
from lacuna.masks.grammar import parse
from lacuna.masks.hole import as_mask, to_hole
from lacuna.masks.sources import alpha, box, colour, ellipse, file, polygon, strokes
from lacuna.masks.svg import svg
from lacuna.masks.values import Mask

__all__ = [
    "Mask",
    "alpha",
    "as_mask",
    "box",
    "click",
    "coco",
    "colour",
    "detected",
    "ellipse",
    "file",
    "parse",
    "polygon",
    "strokes",
    "svg",
    "to_hole",
]
