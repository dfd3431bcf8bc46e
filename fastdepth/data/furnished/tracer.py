"""Path tracing by Mitsuba 3, denoised by Intel's Open Image Denoise: all that imports either."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastdepth.data.furnished.finishes import DARKEST, recolour, tint
from fastdepth.data.furnished.models import Models, Part, to_linear
from fastdepth.data.furnished.placing import Placed
from fastdepth.data.furnished.surfaces import (
    GLOSSY,
    SATIN,
    SMOOTH,
    Lamp,
    Surface,
    square_corners,
    turn,
)
from fastdepth.data.furnished.views import View
from fastdepth.data.furnished.wavefront import Array
from fastdepth.data.sample import Depth
from fastdepth.errors import MissingExtraError
from fastdepth.extras import require
from fastdepth.size import Size

VARIANT = "llvm_ad_rgb"
LLVM = "DRJIT_LIBLLVM_PATH"
"""Environment variable by which the renderer finds its code generator."""

LLVM_PLACES = (
    "/usr/lib/*/libLLVM*.so*",
    "/usr/lib/llvm-*/lib/libLLVM*.so*",
    "/usr/lib64/libLLVM*.so*",
)

OLDEST_LLVM = 16
"""Version 15 ends the process on some processors with AVX-512."""

NO_LLVM = (
    f"Mitsuba {{}}; install LLVM {OLDEST_LLVM} or newer (Debian: apt install libllvm19) or name "
    f"its library in the environment variable {LLVM}"
)

BOUNCES = 5
CLEAR = 0.3
"""What is less opaque is left out: sensors and eyes look through it."""

SPARKLE = 3.0
"""Most light, in that of the brightest tenth of an image."""

EXTRA = "render"


def start() -> Any:
    """Mitsuba, with one thread a process.

    Raises:
        MissingExtraError: it, the denoiser or LLVM is missing.
    """
    mitsuba, _ = require("mitsuba", EXTRA), denoiser()
    if LLVM not in os.environ and (found := newest_llvm()):
        os.environ[LLVM] = found
    try:
        mitsuba.set_variant(VARIANT)
        mitsuba.Float(1.0)  # finds the code generator
    except ImportError:
        raise MissingExtraError(NO_LLVM.format("found no LLVM")) from None
    require("drjit", EXTRA).set_thread_count(1)
    return mitsuba


def denoiser() -> Any:
    """The denoiser's package, kept from importing torch, which takes seconds and memory."""
    hide = "torch" not in sys.modules
    if hide:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        return require("pyoidn", EXTRA)
    finally:
        if hide:
            del sys.modules["torch"]


def newest_llvm(patterns: Sequence[str] = LLVM_PLACES) -> str | None:
    """The newest LLVM library in the usual places, None where the renderer looks for itself.

    Raises:
        MissingExtraError: what is there is too old.
    """
    paths = [path for pattern in patterns for path in glob.glob(pattern)]  # noqa: PTH207 (absolute)
    version, path = max(((_version(path), path) for path in paths), default=(0, None))
    if path and version < OLDEST_LLVM:
        raise MissingExtraError(NO_LLVM.format(f"cannot use LLVM {version}"))
    return path


def _version(path: str) -> int:
    """The major version in ``libLLVM.so.19.1`` or ``libLLVM-19.so.1``."""
    found = re.search(r"libLLVM(?:-|\.so\.)(\d+)", path)
    return int(found.group(1)) if found else 0


def furnish(
    rng: np.random.Generator, models: Models, placed: Sequence[Placed]
) -> Iterator[Surface]:
    """The surfaces of furniture where it stands, coloured anew at random."""
    for piece in placed:
        rotation, at = turn(piece.yaw).astype(np.float32), np.array(piece.at, np.float32)
        shade, bright = tint(rng, 0.4, 0.9, 0.2), rng.uniform(0.6, 1.0)
        for part in models.load(piece.furniture):
            if part.look.opacity < CLEAR:
                continue
            colour = _colour(rng, models, piece, part, shade * bright / shade.mean())
            yield Surface(
                part.corners @ rotation.T + at,
                colour,
                part.uv if colour.ndim == 3 else None,
                part.normals @ rotation.T,
                SMOOTH if part.look.gloss < 10 else rng.choice([SMOOTH, SATIN, GLOSSY]),
            )


def _colour(
    rng: np.random.Generator, models: Models, piece: Placed, part: Part, cast: Array
) -> Array:
    """The part's texture in another shade, or its colour."""
    look = part.look
    if look.texture and np.ptp(part.uv) > 0:
        texture = models.texture(piece.furniture.library, look.texture)
        if texture is not None:
            return recolour(rng, texture, 0.6)
    colour = to_linear(np.array(look.colour, np.float32))
    shaded = colour * cast if rng.random() < 0.6 else colour
    return np.clip(shaded, DARKEST, 0.85).astype(np.float32)


class TracedRoom:
    """A room in the renderer."""

    def __init__(self, mitsuba: Any, surfaces: Sequence[Surface], lamps: Sequence[Lamp]) -> None:
        """Load the scene; ``mitsuba`` is what :func:`start` answers with."""
        self._mi = mitsuba
        plain = [each for each in surfaces if each.uv is None]
        shapes = [_textured(mitsuba, each) for each in surfaces if each.uv is not None]
        for roughness in (SMOOTH, SATIN, GLOSSY):
            if group := [each for each in plain if each.roughness == roughness]:
                shapes.append(_coloured(mitsuba, group, roughness))
        shapes += [_shining(mitsuba, lamp) for lamp in lamps]
        scene = {f"shape{number}": shape for number, shape in enumerate(shapes)}
        dim = {"type": "constant", "radiance": {"type": "rgb", "value": 0.02}}
        self._scene = mitsuba.load_dict({"type": "scene", "dim": dim, **scene})
        self._path = mitsuba.load_dict({"type": "path", "max_depth": BOUNCES, "rr_depth": 3})
        guides = {"type": "aov", "aovs": "colour:albedo,normal:sh_normal"}
        self._guides = mitsuba.load_dict(guides)

    def depth(self, view: View, size: Size) -> Depth:
        """Depth (H, W) float32 [m] along the optical axis by a ray through every pixel's centre.

        0 where nothing is hit.
        """
        mi, rays = self._mi, view.rays(size).reshape(-1, 3)
        length = np.linalg.norm(rays, axis=1)
        # Steps along a ray of length 1; divided by the ray's length they are depth.
        unit = np.ascontiguousarray((rays / length[:, None]).T)
        origin = mi.Point3f(*(float(value) for value in view.position))
        ray = mi.Ray3f(origin, mi.Vector3f(*(mi.Float(each) for each in unit)))
        steps = np.array(self._scene.ray_intersect_preliminary(ray).t)
        depth = np.where(np.isfinite(steps), steps / length, 0)
        image: Depth = depth.reshape(size.height, size.width).astype(np.float32)
        return image

    def radiance(self, view: View, size: Size, samples: int, seed: int) -> Array:
        """Linear light (H, W, 3) float32, denoised.

        Args:
            view: the camera.
            size: of the image.
            samples: light paths a pixel.
            seed: of the paths.
        """
        camera = self._camera(view, size)
        render = self._mi.render
        light = np.array(
            render(self._scene, integrator=self._path, sensor=camera, spp=samples, seed=seed)
        )
        # A pass of its own: together with the paths it takes three times as long.
        guides = np.array(
            render(self._scene, integrator=self._guides, sensor=camera, spp=samples, seed=seed)
        )
        return denoise(*(np.nan_to_num(each) for each in (light, guides[..., :3], guides[..., 3:])))

    def close(self) -> None:
        """Give back the scene's memory, which Mitsuba would keep for the next."""
        del self._scene
        require("drjit", EXTRA).flush_malloc_cache()

    def _camera(self, view: View, size: Size) -> Any:
        """Mitsuba's camera, which looks along +z, +x to the left and +y up."""
        matrix = np.eye(4)
        matrix[:3, :3] = view.axes * [-1, -1, 1]
        matrix[:3, 3] = view.position
        film = {
            "type": "hdrfilm",
            "width": size.width,
            "height": size.height,
            "pixel_format": "rgb",
            "component_format": "float32",
            "filter": {"type": "box"},
        }
        return self._mi.load_dict(
            {
                "type": "perspective",
                "fov_axis": "x",
                "fov": float(np.degrees(2 * np.arctan(0.5 / view.focal))),
                "to_world": self._mi.ScalarTransform4f(matrix),
                "near_clip": 0.01,
                "sampler": {"type": "independent"},
                "film": film,
            }
        )


def denoise(light: Array, colour: Array, normal: Array) -> Array:
    """What light (H, W, 3) would be after many more paths; guided by the surfaces' colour."""
    # A rare path to a small lamp is no sparkle: what is over-exposed anyway is cut before.
    tame = np.minimum(light, SPARKLE * np.percentile(light, 90) + 1e-4)
    given = [np.ascontiguousarray(each, np.float32) for each in (tame, colour, normal)]
    clean = denoiser().denoise(given[0], albedo=np.clip(given[1], 0, 1), normal=given[2], hdr=True)
    return np.maximum(np.asarray(clean, np.float32), 0)


def _mesh(mi: Any, corners: Array, material: dict[str, Any], **more: Any) -> Any:
    """A mesh of loose triangles (N, 3, 3).

    Args:
        mi: Mitsuba.
        corners: of the triangles.
        material: its description.
        more: ``uv`` (N, 3, 2), ``normals`` (N, 3, 3), ``colours`` (N, 3) a triangle, ``lamp``.
    """
    uv, normals, colours = (more.get(key) for key in ("uv", "normals", "colours"))
    properties = mi.Properties()
    properties["material"] = mi.load_dict(material)
    if "lamp" in more:
        properties["lamp"] = mi.load_dict(more["lamp"])
    count = len(corners)
    mesh = mi.Mesh(
        "mesh",
        3 * count,
        count,
        has_vertex_normals=normals is not None,
        has_vertex_texcoords=uv is not None,
        props=properties,
    )
    if colours is not None:
        mesh.add_attribute("face_colour", 3, colours.astype(np.float32).ravel())
    fields = mi.traverse(mesh)
    fields["vertex_positions"] = corners.astype(np.float32).ravel()
    fields["faces"] = np.arange(3 * count, dtype=np.uint32)
    if normals is not None:
        fields["vertex_normals"] = normals.astype(np.float32).ravel()
    if uv is not None:
        # Mitsuba's first row is at v = 0, everybody else's at v = 1.
        fields["vertex_texcoords"] = (uv * [1, -1] + [0, 1]).astype(np.float32).ravel()
    fields.update()
    return mesh


def _bitmap(mi: Any, image: Array) -> dict[str, Any]:
    return {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(image)), "raw": True}


def _textured(mi: Any, surface: Surface) -> Any:
    """A mesh with an image on it, matte."""
    diffuse = {"type": "diffuse", "reflectance": _bitmap(mi, surface.colour)}
    material = {"type": "twosided", "material": diffuse}
    return _mesh(mi, surface.corners, material, uv=surface.uv, normals=surface.normals)


def _coloured(mi: Any, surfaces: Sequence[Surface], roughness: float) -> Any:
    """All surfaces of plain colours and one roughness as one mesh, which is quicker."""
    corners = np.concatenate([each.corners for each in surfaces])
    normals = np.concatenate([_normals(each) for each in surfaces])
    colours = np.concatenate(
        [np.broadcast_to(each.colour, (len(each.corners), 3)) for each in surfaces]
    )
    principled = {
        "type": "principled",
        "base_color": {"type": "mesh_attribute", "name": "face_colour"},
        "roughness": roughness,
        "specular": 0.4,
    }
    material = {"type": "twosided", "material": principled}
    return _mesh(mi, corners, material, normals=normals, colours=colours)


def _normals(surface: Surface) -> Array:
    """The normals of a surface, flat where it has none of its own."""
    if surface.normals is not None:
        return surface.normals
    edges = surface.corners[:, 1:] - surface.corners[:, :1]
    flat = np.cross(edges[:, 0], edges[:, 1])
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return np.repeat(flat[:, None], 3, axis=1)


def _shining(mi: Any, lamp: Lamp) -> Any:
    """A rectangle that shines to one side."""
    if lamp.radiance.ndim == 3:
        radiance = _bitmap(mi, lamp.radiance)
    else:
        radiance = {"type": "rgb", "value": [float(value) for value in lamp.radiance]}
    corners = square_corners(lamp.corner, lamp.across, lamp.up)
    uv = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)
    dark = {"type": "twosided", "material": {"type": "diffuse"}}
    return _mesh(mi, corners, dark, uv=uv, lamp={"type": "area", "radiance": radiance})
