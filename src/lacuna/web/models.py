"""The bodies of requests, checked by pydantic; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=4000)]
Name = Annotated[str, Field(max_length=100)]
Plain = bool | int | Annotated[float, Field(allow_inf_nan=False)] | Text | None
Options = Annotated[dict[Name, Plain], Field(max_length=64)]
Seed = Annotated[int, Field(ge=0, le=2**53)]
Pixels = Annotated[int, Field(ge=0, le=100_000)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Box = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Point = tuple[Coordinate, Coordinate]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Fill(_Strict):
    """How a hole is filled; the same words as in Python and on the command line."""

    method: Name = "auto"
    options: Options = {}
    prompt: Text | None = None
    seed: Seed = 0
    blend: Literal["hard", "membrane"] = "hard"
    feather: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    context: Annotated[float, Field(ge=0, le=1000)] = 0.5
    dilate: Pixels = 0

    @property
    def all_options(self) -> dict[str, Plain]:
        """The options, the prompt among them."""
        return {**self.options, **({} if self.prompt is None else {"prompt": self.prompt})}


class FillVariants(Fill):
    """A fill of a project."""

    variants: Annotated[int, Field(ge=1, le=64)] = 1


class FillOnce(Fill):
    """A fill of a picture that belongs to no project."""

    invert: bool = False
    resize_mask: bool = False
    device: Name | None = None
    format: Literal["PNG", "JPEG", "WEBP", "TIFF", "BMP"] | None = None
    quality: Annotated[int, Field(ge=1, le=100)] | None = None


class Outpaint(_Strict):
    """How a canvas grows, and how the new part is filled."""

    left: Pixels = 0
    top: Pixels = 0
    right: Pixels = 0
    bottom: Pixels = 0
    aspect: Name | None = None
    size: Name | None = None
    anchor: Name = "centre"
    method: Name = "auto"
    options: Options = {}
    prompt: Text | None = None
    seed: Seed = 0
    blend: Literal["hard", "membrane"] = "hard"
    context: Annotated[float, Field(ge=0, le=1000)] = 0.5


class Detect(_Strict):
    """What to look for, and how eagerly."""

    what: Annotated[list[Name], Field(min_length=1, max_length=20)]
    sensitivity: Annotated[float, Field(ge=0, le=1)] = 0.5
    region: Box | None = None
    dilate: Pixels = 0


class Click(_Strict):
    """Points on an object, points off it, and a box around it."""

    points: Annotated[list[Point], Field(max_length=200)] = []
    without: Annotated[list[Point], Field(max_length=200)] = []
    box: Box | None = None


class Choice(_Strict):
    """Which variant is kept."""

    variant: Annotated[int, Field(ge=0, le=1000)]


class StepChange(_Strict):
    """What of a step is to be different."""

    enabled: bool | None = None
    seed: Seed | None = None
    method: Name | None = None
    options: Options | None = None
    prompt: Text | None = None
    blend: Literal["hard", "membrane"] | None = None


class Order(_Strict):
    """The steps that stay, in their new order."""

    order: Annotated[list[Name], Field(max_length=10_000)]


class Token(_Strict):
    """The server's token."""

    token: Annotated[str, Field(max_length=1000)]


class Batch(_Strict):
    """How the pictures of a batch are filled, and how many there will be."""

    settings: Fill = Fill()
    count: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
