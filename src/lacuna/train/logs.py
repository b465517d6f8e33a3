"""What a run says: JSON lines, TensorBoard where it is installed, sheets of samples."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lacuna.errors import OutputError


class Logs:
    """The run's diary.

    Parameters
    ----------
    folder : of the run; ``log.jsonl``, ``tensorboard/`` and ``sheets/`` are made in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "log.jsonl").open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise OutputError(f"{folder} cannot be written to: {error.strerror}") from error
        self._board = _tensorboard(folder / "tensorboard")

    def write(self, event: str, step: int, **values: Any) -> None:
        """Write one line, and its numbers as curves."""
        line = {"event": event, "step": step, "time": round(time.time(), 1), **values}
        try:
            self._file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise OutputError(f"{self.folder / 'log.jsonl'} cannot be written: {error.strerror}") from error
        if self._board is not None:
            for key, value in values.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(f"{event}/{key}", value, step)

    def sheet(self, step: int, rows: list[Tensor]) -> Path:
        """Write a PNG; each row is a batch of pictures (B, 3, H, W), −1 … 1."""
        import cv2

        pictures = torch.stack([row.detach().float().cpu() for row in rows])  # (R, B, 3, H, W)
        r, b, _, h, w = pictures.shape
        grid = pictures.permute(0, 3, 1, 4, 2).reshape(r * h, b * w, 3).numpy()
        pixels = np.rint((grid.clip(-1, 1) + 1) * 127.5).astype(np.uint8)
        path = self.folder / "sheets" / f"{step:09d}.png"
        path.parent.mkdir(exist_ok=True)
        ok, data = cv2.imencode(".png", pixels[:, :, ::-1])
        if not ok:
            raise OutputError(f"{path} cannot be encoded")
        path.write_bytes(data.tobytes())
        return path

    def close(self) -> None:
        """Finish the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))
