"""Photos and holes for training: folders, zip and tar files in, batches of arrays out. No torch here."""

from lacuna.data.batches import Batch, Batches, Cropping, ahead, random_holes, read_holes
from lacuna.data.photos import Photos, decode
from lacuna.data.source import SUFFIXES, Source, open_source

__all__ = [
    "SUFFIXES",
    "Batch",
    "Batches",
    "Cropping",
    "Photos",
    "Source",
    "ahead",
    "decode",
    "open_source",
    "random_holes",
    "read_holes",
]
