"""The doors: files, PIL images and arrays to canon, and back the same way.

`open_image` makes a `Picture`, upright, with its native pixels; `Picture.canon` is what methods see;
`Picture.composite` puts a fill into the hole and copies everything else; `Picture.native` and `save_image`
give back what came in. Pillow, OpenCV, tifffile and jpeglib are imported when a file needs them.
"""

from lacuna.image.container import DEFAULT_MAX_PIXELS
from lacuna.image.picture import Picture
from lacuna.image.reading import open_image
from lacuna.image.resizing import on_canvas
from lacuna.image.verify import Verification, count_changed, verify_files
from lacuna.image.writing import Saved, save_image

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Picture",
    "Saved",
    "Verification",
    "count_changed",
    "on_canvas",
    "open_image",
    "save_image",
    "verify_files",
]
