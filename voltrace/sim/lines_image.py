"""What a volume service writes while it fetches an image, looks at it and converts it into a volume.

Known of the releases that have an ``image_inspect``: how the command that looks at an image is called. Others write only what the flow itself does.
"""

from __future__ import annotations

from .script import Composer, Field, Stage

QCOW2, RAW = "image", "image-raw"  # sources: an image that is compressed, one that is not
_FOLDER = "/opt/stack/data/cinder/conversion/"
_FETCHED = _FOLDER + "image_fetch_%(image_id)s_%(scratch)s%(service)s"
_HEAD = _FOLDER + "image_download_%(image_id)s_%(scratch)s"
_ROOT = "sudo cinder-rootwrap /etc/cinder/rootwrap.conf "
_DEVICE = "/dev/mapper/%(device)s"
_SIZES = {QCOW2: (24.31, 256.0), RAW: (256.0, 256.0)}  # MB, as it is stored and as it is when converted
_NAMES = {QCOW2: "qcow2", RAW: "raw"}
_FIRST = {"fetch": 10, "copy": 20}  # commands are numbered, for each tells how long it took


def stored_as(source_id: str) -> str:
    """What an image of this id is stored as: every other one is raw."""
    return RAW if int(source_id[0], 16) % 2 else QCOW2


def format_of(source_id: str) -> str:
    """The name of that format."""
    return _NAMES[stored_as(source_id)]


def is_image(source: str) -> bool:
    """Whether a volume of this source is made from an image."""
    return source in (QCOW2, RAW)


def shows_image(stage: Stage) -> bool:
    """Whether the lines of an image's way are known and wanted."""
    return stage.lines_of_libraries and bool(stage.release.payloads.get("image_inspect"))


def say_fetch(c: Composer, source: str) -> None:
    """The image is fetched into a file of its own and looked at, before the driver makes the volume."""
    if not shows_image(c.stage):
        return
    size = _SIZES[source][0]
    c.say("image-fetch-details", "lvs", destination=Field(_FETCHED), size_mb=size, duration_s=1.0)
    c.say("image-fetch-speed", size_mb=size, speed=size)
    n = _inspect(c, _FETCHED, _NAMES[source], _FIRST["fetch"], _ROOT)
    c.say("temporary-image-fetched", image_id=Field("%(image_id)s"), user=Field("%(user_id)s"))
    _inspect(c, _FETCHED, _NAMES[source], n, _ROOT)


def say_copy(c: Composer, source: str, driver: str) -> None:
    """The image is looked at once more and converted into the volume."""
    if not shows_image(c.stage):
        return
    root, target = (_ROOT, _DEVICE) if driver == "lvm" else ("", "/opt/stack/data/%(backend)s/volume-%(volume_id)s")
    n = _say_inspection(c, source, root)
    _run(c, f"{root}qemu-img convert -O raw -f {_NAMES[source]} {_FETCHED} {target}", n)
    size = _SIZES[source][1]
    c.say("image-conversion-details", source=Field(_FETCHED), size_mb=size, duration_s=1.0, destination=Field(target))
    c.say("image-converted", size_mb=size, speed=size)


def say_missing_device(c: Composer, source: str) -> None:
    """The image is to be converted, but there is no such device."""
    if shows_image(c.stage):
        _say_inspection(c, source, _ROOT)
    c.say("block-device-missing", path=Field(_DEVICE))


def _say_inspection(c: Composer, source: str, root: str) -> int:
    n = _inspect(c, _HEAD, "raw", _FIRST["copy"], root)
    n = _inspect(c, _FETCHED, _NAMES[source], n, root)
    c.say("image-converting", image_id=Field("%(image_id)s"), from_format=_NAMES[source], to_format="raw")
    return n


def say_deleted(c: Composer) -> None:
    """The file with the image goes when the volume is made."""
    if shows_image(c.stage):
        c.say("temporary-image-deleted", image_id=Field("%(image_id)s"), user=Field("%(user_id)s"))


def _inspect(c: Composer, path: str, form: str, n: int, root: str) -> int:
    """Looks at a file, as often as its format needs, and returns the next command's number. What claims to be raw must not be encrypted."""
    for tried, code in (("raw", 0), ("luks", 1)) if form == "raw" else ((form, 0),):
        command = c.stage.release.payloads["image_inspect"].format(root=root, form=tried, path=path)
        _run(c, command, n, code)
        n += 1
    return n


def _run(c: Composer, command: str, n: int, code: int = 0) -> None:
    c.say("command-run", command=Field(command), mark=f"run_at_{n}")
    c.say("command-returned", "lvs", command=Field(command), returncode=code, elapsed_s=Field(f"%(elapsed_{n})s"), mark=f"returned_at_{n}")
    if code:
        c.say("command-given-up", command=Field(f"'{command}'"))
