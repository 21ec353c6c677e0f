"""Scenes: ray-traced rooms with one object, drawn from six factors.

The factors are those of 3D Shapes (Burgess and Kim, 2018). The images are this library's own, so
that figures are not comparable with published figures on 3D Shapes.
"""

import colorsys
from functools import cache

import numpy as np

from keras_infomodels.datasets.factor_space import Factors

__all__ = ["LARGEST", "SHAPES", "SIDE", "Scenes", "light", "mix"]

SHAPES = ("cube", "cylinder", "sphere", "capsule")
"""The values of the factor "shape", in order."""

SIDE, LARGEST = 64, 256
"""Height and width of a picture by default, and the largest."""

_SAMPLES = 4
"""Rays a pixel in each direction."""

_SCALES = np.linspace(0.7, 1.3, 8)
_VIEWS = np.deg2rad(np.linspace(-30, 30, 15))
"""Angles of the camera about the room's middle, from the diagonal that ends in its far corner."""

_WALL = 5.0
"""Half the side of the square room."""

_CAMERA = (4.6, 2.5)
"""The camera's distance from the middle, and its height."""

_TARGET = 0.9
"""Height of the point in the middle that the camera looks at."""

_FIELD = np.tan(np.deg2rad(24))
"""Half the width of the picture at distance 1 of the camera."""

_LIGHT = np.array([0.75, 0.3, 0.9]) / np.linalg.norm([0.75, 0.3, 0.9])
"""Direction to the light, which stands still while the camera moves."""

_AMBIENT = 0.45
_CHUNK = 64


class Scenes:
    """Data set of rooms with an object, with 480,000 distinct images.

    The factors and their numbers of values are floor_hue (10), wall_hue (10), object_hue (10),
    scale (8), shape (4, see `SHAPES`) and view (15). An image is a linear combination of the three
    colors. Each of the 480 geometries (scale, shape, view) is rendered once, when the first image
    is drawn.

    Args:
        side: int, from 1 to 256. Height and width of an image. The rendered geometries take 5,760
            side^2 bytes of memory.
    """

    factors = Factors(
        ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "view"), (10, 10, 10, 8, 4, 15)
    )

    def __init__(self, side: int = SIDE):
        if not 1 <= side <= LARGEST:
            raise ValueError(f"Scenes have a side of 1 to {LARGEST} pixels, got {side}.")
        self.shape = (side, side, 3)

    def images(self, factors: np.ndarray) -> np.ndarray:
        """Draws images from values of their factors.

        Args:
            factors: int array (n, 6), in the order of `Scenes.factors`.

        Returns:
            uint8 array (n, side, side, 3).
        """
        factors = self.factors.check(factors)
        images = np.empty((len(factors), *self.shape), np.uint8)
        weights = light(self.shape[0])
        for start in range(0, len(factors), _CHUNK):
            rows = factors[start : start + _CHUNK]
            geometry = weights[rows[:, 3], rows[:, 4], rows[:, 5]]
            images[start : start + _CHUNK] = mix(geometry, rows).reshape(-1, *self.shape)
        return images


@cache
def light(side: int = SIDE) -> np.ndarray:
    """Returns the light from floor, wall and object in each pixel.

    The result is a float32 array (8, 4, 15, 3, side^2).

    The axes are scale, shape, view, source of light and pixel, row by row.
    """
    shape = (len(_SCALES), len(SHAPES), len(_VIEWS), 3, side**2)
    weights = np.empty(shape, np.float32)
    for view, angle in enumerate(_VIEWS):
        room = _Room(*_rays(angle, side))
        for kind, scale in np.ndindex(len(SHAPES), len(_SCALES)):
            weights[scale, kind, view] = room.render(kind, np.float32(_SCALES[scale]))
    return weights


def mix(weights: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Computes images from the light and the colors of floor, wall and object.

    Args:
        weights: float32 array (n, 3, pixels). Light of each pixel.
        factors: int array (n, 6). Only the hues are used.

    Returns:
        uint8 array (n, pixels, 3).
    """
    colors = np.stack([_COLORS[i][factors[:, i]] for i in range(3)], axis=2)  # (n, RGB, 3)
    # Weights are multiples of 1 / 1024 and colors are bytes, so that sums are exact in any order.
    return np.rint(colors @ weights).astype(np.uint8).swapaxes(1, 2)


def _hues(saturation: float, value: float) -> np.ndarray:
    colors = [colorsys.hsv_to_rgb(i / 10, saturation, value) for i in range(10)]
    return np.rint(255 * np.array(colors)).astype(np.float32)


_COLORS = (_hues(0.6, 0.85), _hues(0.45, 0.95), _hues(0.9, 0.95))
"""RGB of each hue from 0 to 255: of floor, wall and object, which differ in saturation."""


def _rays(angle: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The camera's place, float32 (3,), and unit directions through the picture, (side^2 S^2, 3).

    The S x S rays of a pixel come one after another.
    """
    distance, height = _CAMERA
    around = np.pi / 4 + angle
    camera = np.array([distance * np.cos(around), distance * np.sin(around), height])
    forward = np.array([0, 0, _TARGET]) - camera
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    fine = side * _SAMPLES
    at = _FIELD * ((np.arange(fine) + 0.5) / fine * 2 - 1)
    grid = forward + at[:, None, None] * down + at[None, :, None] * right  # (fine, fine, 3)
    grid = grid.reshape(side, _SAMPLES, side, _SAMPLES, 3).swapaxes(1, 2).reshape(-1, 3)
    grid /= np.linalg.norm(grid, axis=-1, keepdims=True)
    return camera.astype(np.float32), grid.astype(np.float32)


class _Room:
    """The empty room from one camera, into which objects are put."""

    def __init__(self, camera: np.ndarray, rays: np.ndarray):
        self.camera, self.rays = camera, rays
        with np.errstate(divide="ignore"):
            floor = np.where(rays[:, 2] < 0, -camera[2] / rays[:, 2], np.inf)
            # The wall that a ray leaves the room through, in x and in y.
            ends = (np.sign(rays[:, :2]) * np.float32(_WALL) - camera[:2]) / rays[:, :2]
        wall = ends.min(axis=1)
        self.is_floor = floor < wall
        self.floor_points = (camera + floor[self.is_floor, None] * rays[self.is_floor])[:, :2]
        # The walls face inwards, and each has its own brightness, so that corners are seen.
        axis = ends.argmin(axis=1)
        toward = -np.sign(np.take_along_axis(rays[:, :2], axis[:, None], axis=1))[:, 0]
        facing = np.clip(toward * _LIGHT[axis].astype(np.float32), 0, None)
        height = camera[2] + wall * rays[:, 2]
        self.wall_shade = _shade(facing) * (0.9 + 0.1 * np.clip(height / 2, 0, 1))
        self.wall_shade[self.is_floor] = 0
        self.nothing = np.zeros_like(self.wall_shade)

    def render(self, shape: int, scale: np.float32) -> np.ndarray:
        """Light from floor, wall and object in each pixel, float32 (3, side^2)."""
        # The object of scale 1, from a camera that is nearer or farther by the scale.
        camera = self.camera / scale
        near = self._near(camera, *_BOUNDS[shape])
        hit, normals = _INTERSECT[shape](camera, self.rays[near])
        hit = near[hit]
        weights = np.stack([self.nothing, self.wall_shade, self.nothing])
        weights[0, self.is_floor] = self._floor_shade(shape, scale)
        weights[:, hit] = 0
        weights[2, hit] = _shade(np.clip(normals @ _LIGHT.astype(np.float32), 0, None))
        pixels = weights.reshape(3, -1, _SAMPLES**2).mean(axis=2)
        return np.rint(1024 * pixels) / 1024

    def _near(self, camera: np.ndarray, height: float, radius: float) -> np.ndarray:
        """Numbers of the rays that meet a sphere about an object."""
        center = np.float32([0, 0, height]) - camera
        closest = np.sqrt((center**2).sum() - np.float32(radius**2))
        return np.flatnonzero(self.rays @ center >= closest)

    def _floor_shade(self, shape: int, scale: np.float32) -> np.ndarray:
        """Brightness of the floor, which is darker near the object."""
        distance = _FOOTPRINT[shape](np.abs(self.floor_points) / scale)
        shadow = 0.55 * np.exp(-((np.clip(distance, 0, None) / 0.45) ** 2))
        return _shade(np.float32(_LIGHT[2])) * (1 - shadow)


def _shade(facing: np.ndarray) -> np.ndarray:
    return (_AMBIENT + (1 - _AMBIENT) * facing).astype(np.float32)


def _cube(camera: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rays meet the cube, and the unit normals where they do; alike for other shapes."""
    low = np.float32([-_CUBE, -_CUBE, 0])
    high = np.float32([_CUBE, _CUBE, 2 * _CUBE])
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - camera) / rays, (high - camera) / rays
    enter, leave = np.minimum(a, b), np.maximum(a, b)
    first = enter.max(axis=1)
    hit = (first < leave.min(axis=1)) & (first > 0)
    axis = enter[hit].argmax(axis=1)
    normals = np.zeros((len(axis), 3), np.float32)
    rows = np.arange(len(axis))
    normals[rows, axis] = -np.sign(rays[hit][rows, axis])
    return hit, normals


def _cylinder(camera: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    radius, height = _CYLINDER
    side = _first_root(camera[:2], rays[:, :2], radius)
    side_points = camera + side[:, None] * rays
    on_side = (side > 0) & (side_points[:, 2] >= 0) & (side_points[:, 2] <= height)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        top = (height - camera[2]) / rays[:, 2]
        top_points = camera[:2] + top[:, None] * rays[:, :2]
        on_top = (top > 0) & ((top_points**2).sum(axis=1) < radius**2)
    normals = side_points / radius
    normals[:, 2] = 0
    normals[on_top] = (0, 0, 1)  # the camera is above it
    hit = on_side | on_top
    return hit, normals[hit]


def _sphere(camera: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _ball(camera, rays, _SPHERE, _SPHERE)


def _ball(
    camera: np.ndarray, rays: np.ndarray, radius: float, height: float
) -> tuple[np.ndarray, np.ndarray]:
    """A sphere over the middle of the floor, whose center is at a height."""
    center = np.float32([0, 0, height])
    distance = _first_root(camera - center, rays, radius)
    hit = distance > 0
    return hit, (camera - center + distance[hit, None] * rays[hit]) / radius


def _capsule(camera: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    radius, height = _CAPSULE
    distance = _first_root(camera[:2], rays[:, :2], radius)
    points = camera + distance[:, None] * rays
    side = (distance > 0) & (points[:, 2] >= radius) & (points[:, 2] <= height - radius)
    normals = points / radius
    normals[:, 2] = 0
    hit = side.copy()
    for end in (radius, height - radius):
        ball, ball_normals = _ball(camera, rays, radius, end)
        outer = (ball_normals[:, 2] <= 0) if end == radius else (ball_normals[:, 2] > 0)
        rows = np.flatnonzero(ball)[outer]
        rows, kept = rows[~side[rows]], ~side[rows]
        normals[rows] = ball_normals[outer][kept]
        hit[rows] = True
    return hit, normals[hit]


def _first_root(origin: np.ndarray, rays: np.ndarray, radius: float) -> np.ndarray:
    """Distance at which rays meet a sphere or circle about 0, and -1 where they do not."""
    a = (rays**2).sum(axis=1)
    b = rays @ origin
    inside = b**2 - a * ((origin**2).sum() - np.float32(radius**2))
    with np.errstate(invalid="ignore"):
        return np.where(inside > 0, (-b - np.sqrt(inside)) / a, np.float32(-1))


_CUBE = 0.62
"""Half the side of the cube of scale 1."""

_CYLINDER = (0.62, 1.3)
"""Radius and height of the cylinder of scale 1."""

_SPHERE = 0.75
"""Radius of the sphere of scale 1."""

_CAPSULE = (0.48, 1.75)
"""Radius and height of the capsule of scale 1, which stands upright."""

_BOUNDS = (
    (_CUBE, 1.01 * 3**0.5 * _CUBE),
    (_CYLINDER[1] / 2, 1.01 * np.hypot(_CYLINDER[0], _CYLINDER[1] / 2)),
    (_SPHERE, 1.01 * _SPHERE),
    (_CAPSULE[1] / 2, 1.01 * _CAPSULE[1] / 2),
)
"""Height and radius of a sphere about each shape, a little larger than the smallest."""

_INTERSECT = (_cube, _cylinder, _sphere, _capsule)


def _outside_disc(points: np.ndarray, radius: float) -> np.ndarray:
    return np.linalg.norm(points, axis=1) - np.float32(radius)


_FOOTPRINT = (
    lambda points: np.linalg.norm(np.clip(points - np.float32(_CUBE), 0, None), axis=1),
    lambda points: _outside_disc(points, _CYLINDER[0]),
    lambda points: _outside_disc(points, 0.3 * _SPHERE),
    lambda points: _outside_disc(points, 0.3 * _CAPSULE[0]),
)
"""Distance of points (n, 2) of the first quadrant of the floor from where the shape touches it."""
