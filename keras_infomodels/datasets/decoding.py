"""Decoding of image files, with orientation, transparency, 16-bit and other modes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf
from PIL import Image, ImageColor, ImageOps

from keras_infomodels.names import guess

__all__ = ["FITS", "Header", "Look", "check_look", "decode", "read_header"]

FITS = ("crop", "pad", "stretch")
"""Ways to fit an image of another aspect ratio to a size."""

_LARGEST = 2**27
"""Largest number of pixels of an image, 134 million; a small file can claim any number."""

_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_COLOR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
_LUMA = np.float32([0.299, 0.587, 0.114])
_ORIENTATION = 0x0112
_ORIENTATION_SWAPS = (5, 6, 7, 8)


@dataclass(frozen=True)
class Look:
    """Format of decoded images.

    Attributes:
        image_size: (height, width). `None` keeps the size of the file.
        fit: str. Treatment of images with another aspect ratio than `image_size`: "crop" cuts the
            longer side equally at both ends, "pad" adds bars in the background color, "stretch"
            distorts the image.
        channels: int. Number of channels: 1 for gray, 3 for color.
        background: (red, green, blue) from 0 to 255. Color behind transparent pixels.
        deep: bool. `True` returns uint16 pixels, `False` uint8.
    """

    image_size: tuple[int, int] | None
    fit: Literal["crop", "pad", "stretch"] = "crop"
    channels: int = 3
    background: tuple[int, int, int] = (255, 255, 255)
    deep: bool = False


@dataclass(frozen=True)
class Header:
    """Header of an image file.

    Attributes:
        size: (height, width) of the upright image.
        grey: bool. `True` for an image without color.
        deep: bool. `True` for 16 bits per channel.
    """

    size: tuple[int, int]
    grey: bool
    deep: bool


def check_look(fit: str, channels: int | None, background: str | tuple) -> tuple[int, int, int]:
    """Checks the settings of decoded images; returns the background as (red, green, blue).

    Args:
        fit: str. One of `FITS`.
        channels: int. 1, 3 or None.
        background: str or tuple. Name of a color, or (red, green, blue).

    Raises:
        ValueError: If a setting has an unknown value.
    """
    if fit not in FITS:
        raise ValueError(f"fit is one of {', '.join(FITS)}; got {fit!r}.{guess(fit, FITS)}")
    if channels not in (None, 1, 3):
        raise ValueError(f"channels is 1 for gray, 3 for color or None, got {channels!r}.")
    try:
        color = ImageColor.getrgb(background) if isinstance(background, str) else background
        red, green, blue = (int(np.uint8(value)) for value in color[:3])
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            'background is the name of a color, such as "white" or "#ff8800", or (red, green, '
            f"blue) from 0 to 255; got {background!r}."
        ) from error
    return red, green, blue


def read_header(path: Path) -> Header:
    """Reads size and mode of an image file.

    Args:
        path: Path. The file.

    Raises:
        ValueError: If the mode is not supported, or there are too many pixels.
        OSError: If the file is not an image.
    """
    with Image.open(path) as image:
        width, height = image.size
        if width * height > _LARGEST:
            raise ValueError(f"it has {width} x {height} pixels, and {_LARGEST:,} are the limit")
        if image.mode not in _GREY + _COLOR:
            raise ValueError(f"it has the mode {image.mode}, which is not supported")
        if image.getexif().get(_ORIENTATION) in _ORIENTATION_SWAPS:
            width, height = height, width
        return Header((height, width), image.mode in _GREY, _is_deep(path, image))


def decode(path: Path, look: Look) -> np.ndarray:
    """Decodes an image file as uint8 or uint16 (height, width, channels).

    Only the first frame of an animation is decoded. The EXIF orientation is applied. Transparent
    pixels show the background color. The errors are those of `read_header`; a damaged file raises
    them too.

    Args:
        path: Path. The file.
        look: `Look`. Format of the result.
    """
    with Image.open(path) as image:
        if _is_deep(path, image):
            pixels = _upright(_read_deep(path, image), image.getexif().get(_ORIENTATION, 1))
            return _decode_deep(pixels, look)
        if look.image_size is not None:
            # A JPEG is decoded at half, quarter or eighth size if that is large enough.
            image.draft(None, (2 * max(look.image_size),) * 2)
        image = _on_background(ImageOps.exif_transpose(image), look)
    array = _fitted(image, look, _background(look))
    array = array.reshape(*array.shape[:2], look.channels)
    return array.astype(np.uint16) * 257 if look.deep else array


def _decode_deep(pixels: np.ndarray, look: Look) -> np.ndarray:
    """16-bit pixels as `decode` returns them."""
    behind = _background(look) * 257.0
    if pixels.shape[-1] in (2, 4):
        opacity = pixels[..., -1:] / 65535
        pixels = _with_channels(pixels[..., :-1], look) * opacity + behind * (1 - opacity)
    pixels = _with_channels(pixels, look)
    # Pillow resizes floats of one channel.
    planes = [Image.fromarray(np.ascontiguousarray(p)) for p in np.moveaxis(pixels, -1, 0)]
    planes = [_fitted(plane, look, own) for plane, own in zip(planes, behind, strict=True)]
    array = np.clip(np.round(np.stack(planes, -1)), 0, 65535)
    return array.astype(np.uint16) if look.deep else np.round(array / 257).astype(np.uint8)


def _is_deep(path: Path, image: Image.Image) -> bool:
    if image.mode in _DEEP:
        return True
    if image.format != "PNG":
        return False
    with path.open("rb") as file:  # Pillow cuts the colors of a PNG to 8 bits
        return file.read(25)[24] == 16


def _read_deep(path: Path, image: Image.Image) -> np.ndarray:
    """float32 (height, width, 1 to 4) from 0 to 65535."""
    if image.mode in _DEEP:
        array = np.asarray(image)
        if array.min() < 0 or array.max() > 65535:
            raise ValueError(
                f"it has values from {array.min()} to {array.max()}, and 16 bits hold 0 to 65535"
            )
        return array[..., None].astype(np.float32)
    return tf.io.decode_png(path.read_bytes(), dtype=tf.uint16).numpy().astype(np.float32)


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Applies an EXIF orientation to pixels."""
    if orientation in _ORIENTATION_SWAPS:
        array = array.swapaxes(0, 1)
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
    return np.flip(array, flips.get(orientation, ()))


def _with_channels(pixels: np.ndarray, look: Look) -> np.ndarray:
    """Converts float32 pixels with one or three channels to the wanted number of channels."""
    if look.channels == 1 and pixels.shape[-1] == 3:
        pixels = pixels @ _LUMA[:, None]
    return np.broadcast_to(pixels, (*pixels.shape[:2], look.channels)).astype(np.float32)


def _background(look: Look) -> np.ndarray:
    """Channels of the background, from 0 to 255."""
    color = np.float32(look.background)
    return color if look.channels == 3 else color @ _LUMA[:, None]


def _on_background(image: Image.Image, look: Look) -> Image.Image:
    """Puts an image on the background, as mode "L" or "RGB"."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (*look.background, 255))
        image = Image.alpha_composite(behind, image)
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return image.convert("L" if look.channels == 1 else "RGB")


def _fitted(image: Image.Image, look: Look, behind: np.ndarray) -> np.ndarray:
    """Resizes an image, and returns its pixels."""
    if look.image_size is None or look.image_size == image.size[::-1]:
        return np.asarray(image)
    size, method = look.image_size[::-1], Image.Resampling.BICUBIC
    if look.fit == "crop":
        return np.asarray(ImageOps.fit(image, size, method))
    if look.fit == "stretch":
        return np.asarray(image.resize(size, method))
    inner = np.asarray(ImageOps.contain(image, size, method))
    padded = np.empty(look.image_size + inner.shape[2:], inner.dtype)
    padded[...] = behind if inner.dtype.kind == "f" else np.round(behind)
    top, left = ((a - b) // 2 for a, b in zip(padded.shape, inner.shape[:2], strict=False))
    padded[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return padded
