"""Photos and holes for training: folders, zip and tar files in, batches of arrays out. No torch here."""

from lacuna.data.batches import Batch, Batches, Cropping, random_holes, read_holes
from lacuna.data.feed import Feed, Plan, Wanted
from lacuna.data.photos import Photos, decode
from lacuna.data.source import SUFFIXES, Source, open_source

__all__ = [
    "SUFFIXES",
    "Batch",
    "Batches",
    "Cropping",
    "Feed",
    "Photos",
    "Plan",
    "Source",
    "Wanted",
    "decode",
    "open_source",
    "random_holes",
    "read_holes",
]
