"""PNG pictures without matplotlib, which would take longer to load than a model to run."""

import struct
import zlib

import numpy as np

from keras_infomodels.pictures import shown_range

__all__ = ["grid", "png"]


def grid(images: np.ndarray) -> np.ndarray:
    """Arranges images row by row in an approximately square grid.

    The images are separated by a white line of one pixel.

    Args:
        images: array (n, height, width, 1 or 3). Pixels in [0, 1], uint8, or in a range that
            `pictures.shown_range` recognizes, such as [-1, 1].

    Returns:
        uint8 array (rows * (height + 1), columns * (width + 1), channels).

    Raises:
        ValueError: If the images are not gray or color.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "A picture needs images (n, height, width, 1 or 3); these have shape "
            f"{images.shape}. Write them to a .npz instead."
        )
    if images.dtype != np.uint8:
        low, high = shown_range(images)
        images = (images - low) / max(high - low, 1e-12)
        images = np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)
    count, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    tiles = np.full((rows * columns, height + 1, width + 1, channels), 255, np.uint8)
    tiles[:count, :height, :width] = images
    tiles = tiles.reshape(rows, columns, height + 1, width + 1, channels)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 1), -1, channels)


def png(picture: np.ndarray) -> bytes:
    """Returns a PNG file of a uint8 picture (height, width, 1 or 3)."""
    height, width, channels = picture.shape
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = picture.reshape(height, -1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
