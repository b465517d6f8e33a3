from __future__ import annotations

from pathlib import Path

import pytest

from lacuna.errors import ImageError, MaskError
from lacuna.evaluate.cases import find_cases


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(images: Path, masks: Path) -> list[tuple[str, str, str]]:
    cases, notes = find_cases(images, masks)
    assert not notes
    assert len({case.fill for case in cases}) == len(cases)
    return [(case.kind, case.image, case.mask) for case in cases]


def test_folders_of_masks_are_kinds(tmp_path: Path) -> None:
    images = touch(tmp_path / "i", "a.jpg", "b.webp", "notes.txt")
    masks = touch(tmp_path / "m", "narrow/a.png", "narrow/b.png", "wide/a.png", "wide/b.png")
    assert found(images, masks) == [
        ("narrow", "a.jpg", "narrow/a.png"),
        ("narrow", "b.webp", "narrow/b.png"),
        ("wide", "a.jpg", "wide/a.png"),
        ("wide", "b.webp", "wide/b.png"),
    ]


def test_several_masks_of_one_picture_and_pictures_of_one_stem(tmp_path: Path) -> None:
    images = touch(tmp_path / "i", "a.jpg", "a.png")
    masks = touch(tmp_path / "m", "a.mask.png", "a_mask000.png", "a_mask001.png")
    assert len(found(images, masks)) == 6


def test_pictures_in_folders(tmp_path: Path) -> None:
    images = touch(tmp_path / "i", "x/a.jpg", "y/a.jpg")
    masks = touch(tmp_path / "m", "thin/x/a.png", "thin/y/a.png")
    assert found(images, masks) == [("thin", "x/a.jpg", "thin/x/a.png"), ("thin", "y/a.jpg", "thin/y/a.png")]


def test_one_folder_for_both(tmp_path: Path) -> None:
    both = touch(tmp_path, "a.jpg", "a.mask.png")
    assert found(both, both) == [("", "a.jpg", "a.mask.png")]


def test_names_without_a_partner_are_listed_or_left_out(tmp_path: Path) -> None:
    images = touch(tmp_path / "i", "a.jpg", "lonely.jpg")
    masks = touch(tmp_path / "m", "a.png", "stray.png")
    with pytest.raises(MaskError, match=r"without a mask: lonely\.jpg; 1 without a picture: stray\.png"):
        find_cases(images, masks)
    cases, notes = find_cases(images, masks, allow_unmatched=True)
    assert [case.image for case in cases] == ["a.jpg"]
    assert len(notes) == 2


def test_nothing_in_common_is_refused_always(tmp_path: Path) -> None:
    images, masks = touch(tmp_path / "i", "a.jpg"), touch(tmp_path / "m", "b.png")
    with pytest.raises(MaskError, match="do not match"):
        find_cases(images, masks, allow_unmatched=True)


@pytest.mark.parametrize(
    ("images", "masks", "error", "words"),
    [
        ("nowhere", "m", ImageError, "does not exist"),
        ("empty", "m", ImageError, "no pictures in"),
        ("i", "nowhere", MaskError, "does not exist"),
        ("i", "empty", MaskError, "no masks in"),
    ],
)
def test_empty_folders(tmp_path: Path, images: str, masks: str, error: type[Exception], words: str) -> None:
    touch(tmp_path / "i", "a.jpg")
    touch(tmp_path / "m", "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=words):
        find_cases(tmp_path / images, tmp_path / masks)
