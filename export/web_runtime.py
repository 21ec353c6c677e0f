"""Files of LiteRT.js, which runs a `.tflite` in a browser: pinned, verified and cached.

Source: npm packages @litertjs/core and @litertjs/wasm-utils, Apache-2.0, by Google.
"""

import hashlib
import io
import os
import tarfile
from pathlib import Path

from keras_infomodels.io import call_within, fill_folder, write_atomically

__all__ = ["FILES", "VERSION", "cached_runtime", "copy_runtime"]

VERSION = "2.5.3"

FILES = {
    "core/dist/index.js": "e7daccc3a31eef890848a737ccb863ded5f046a6b40c3fdc0556495adeb5d9b3",
    "core/wasm/litert_wasm_compat_internal.js": (
        "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5"
    ),
    "core/wasm/litert_wasm_compat_internal.wasm": (
        "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c"
    ),
    "wasm-utils/dist/index.js": "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2",
}
"""SHA-256 of each file. The "compat" build needs no relaxed SIMD, so that every browser runs it."""

TARBALLS = {
    "core": "a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
    "wasm-utils": "ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
}
_URL = "https://registry.npmjs.org/@litertjs/{name}/-/{name}-{version}.tgz"
_SECONDS, _LARGEST = 300.0, 2**25
_ELSEWHERE = (
    f"On a machine with a network run `npm install @litertjs/core@{VERSION}`, copy the folder "
    "node_modules here, and give it by --wasm DIR."
)


def cached_runtime(cache: Path) -> Path:
    """Returns the folder of the runtime in a cache, and downloads it from npm if needed.

    Args:
        cache: Path. Folder of the project's cache.

    Raises:
        OSError: If there is no network, in offline mode, or if a checksum differs.
    """
    folder = cache / "web" / f"litertjs-{VERSION}"

    def is_complete() -> bool:
        return all(_has(folder / name, digest) for name, digest in FILES.items())

    if is_complete():
        return folder
    if os.environ.get("KERAS_INFOMODELS_OFFLINE", "0") not in ("", "0"):
        raise OSError(
            f"The browser's runtime is not in {cache}, and KERAS_INFOMODELS_OFFLINE is set. "
            f"{_ELSEWHERE}"
        )
    fill_folder(folder, is_complete, _download)
    return folder


def copy_runtime(source: Path, target: Path):
    """Copies the runtime's files into a page.

    Args:
        source: Path. Folder of `cached_runtime`, node_modules, node_modules/@litertjs, or the
            unpacked @litertjs/core with wasm-utils beside it or in its node_modules.
        target: Path. Folder to write core/ and wasm-utils/ to.

    Raises:
        ValueError: If a file is missing or has another checksum.
    """
    for name, digest in FILES.items():
        package, _, rest = name.partition("/")
        places = [source, source / "@litertjs", source.parent, source / "node_modules/@litertjs"]
        places = [place / name for place in places]
        if package == "core":
            places += [source / rest, source / "package" / rest]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise ValueError(f"{source} has no {name} of @litertjs {VERSION}. {_ELSEWHERE}")
        content = found.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(
                f"{found} is not the file of @litertjs {VERSION}: its SHA-256 differs. {_ELSEWHERE}"
            )
        write_atomically(target / name, content)


def unpack(package: str, content: bytes, folder: Path):
    """Writes the files of `FILES` that a package's tarball holds.

    Raises:
        OSError: If the tarball has another checksum.
    """
    if hashlib.sha256(content).hexdigest() != TARBALLS[package]:
        raise OSError(
            f"npm's {package}-{VERSION}.tgz has another SHA-256 than the one that this version "
            f"expects, so it is not used. {_ELSEWHERE}"
        )
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for name in FILES:
            owner, _, rest = name.partition("/")
            if owner == package:
                write_atomically(folder / name, archive.extractfile(f"package/{rest}").read())


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _download(folder: Path):
    for package in TARBALLS:
        url = _URL.format(name=package, version=VERSION)
        try:
            content = call_within(_SECONDS, lambda stopped, url=url: _get(url, stopped))
        except OSError as error:
            raise OSError(
                f"The browser's runtime could not be downloaded: {url}: {type(error).__name__}. "
                f"{_ELSEWHERE}"
            ) from error
        unpack(package, content, folder)


def _get(url: str, stopped) -> bytes:
    import requests

    content = bytearray()
    with requests.get(url, timeout=20, stream=True) as response:
        response.raise_for_status()
        for piece in response.iter_content(2**16):
            content += piece
            if stopped.is_set() or len(content) > _LARGEST:
                raise OSError("stopped, or larger than expected")
    return bytes(content)
