"""Files that others wrote, read within bounds: packed files, archives, YAML (docs/security.md).

A small file may unpack to more than the machine holds, name members outside of its folder, or repeat itself without
end. Each reader here stops at a stated bound and says so; what it raises is an OSError or a yaml.YAMLError, as the
callers expect of a broken file.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import yaml

MIB = 2**20
#: bytes of a table or text that is held in memory as a whole
MOST_BYTES = 512 * MIB
#: unpacked bytes that need no justification, and how many times its packed size a stream may then have. Deflate reaches
#: 1032; VCFs of thousands of samples, mostly 0|0, reach about 100
FREE_BYTES, MOST_RATIO = 16 * MIB, 400
#: bytes of one line of a packed stream (a VCF record of a million samples has about 50 MiB)
MOST_LINE = 128 * MIB
#: members of an archive
MOST_MEMBERS = 10_000
#: characters of a YAML text; values with all aliases written out (the shipped files have at most 2,000); levels
MOST_YAML, MOST_VALUES, MOST_LEVELS = 4 * MIB, 100_000, 50
#: characters of a number in YAML; a longer one costs more than linear time to read
MOST_DIGITS = 400


def is_whole(text: str) -> bool:
    """Whether a text is digits 0 to 9 and nothing else: ``str.isdigit`` takes superscripts too, which int() refuses."""
    return text.isascii() and text.isdigit()


class TooMuch(OSError):
    """A file that unpacks to more than it may; the message says what was reached."""


class YamlBomb(yaml.YAMLError):
    """YAML that is too large, too deep, or repeats itself without end."""


class Endless(YamlBomb):
    """YAML whose aliases unfold to too much, or to ever more."""


class _Bounded(io.RawIOBase):
    """An unpacked stream that ends in TooMuch where a bound is passed."""

    def __init__(self, packed: IO[bytes], size: int) -> None:
        self.packed, self.allowed, self.count, self.line = packed, max(FREE_BYTES, MOST_RATIO * size), 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.packed.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        last = data.rfind(b"\n")
        self.line = self.line + len(data) if last < 0 else len(data) - last - 1
        if self.count > self.allowed:
            raise TooMuch(f"it unpacks to more than {self.allowed / MIB:.0f} MiB, over {MOST_RATIO} times its size")
        if self.line > MOST_LINE:
            raise TooMuch(f"a line of it unpacks to more than {MOST_LINE / MIB:.0f} MiB")
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self.packed.close()
        super().close()


def is_packed(path: Path) -> bool:
    """True if the file begins as gzip does."""
    with open(path, "rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def open_unpacked(path: Path) -> IO[bytes]:
    """A gzip or bgzip file as a buffered stream of its content; TooMuch once it passes the bounds above.

    Raises EOFError, OSError or zlib.error while reading a broken file, as gzip does.
    """
    packed = cast(IO[bytes], gzip.open(path, "rb"))  # noqa: SIM115 (closed with the stream)
    return io.BufferedReader(_Bounded(packed, os.stat(path).st_size), buffer_size=256 * 1024)


def open_text(path: Path, encoding: str = "utf-8") -> IO[str]:
    """A text file, plain or gzip, for reading line by line; ``newline`` is universal."""
    if is_packed(path):
        return io.TextIOWrapper(open_unpacked(path), encoding=encoding)
    return open(path, encoding=encoding)


def read_bytes(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """Content of a regular file, gzip unpacked; OSError for a device, a pipe, or more than ``most`` bytes."""
    path = Path(path)
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise (
            IsADirectoryError(f"{path} is no regular file")
            if stat.S_ISDIR(about.st_mode)
            else OSError(f"{path} is no regular file")
        )
    if about.st_size > most:
        raise TooMuch(f"{path} has {about.st_size / MIB:.0f} MiB, more than {most / MIB:.0f}")
    if not is_packed(path):
        return path.read_bytes()
    with open_unpacked(path) as handle:
        try:
            data = handle.read(most + 1)
        except (EOFError, zlib.error) as error:
            raise OSError(f"{path} is a broken gzip file ({error})") from None
    if len(data) > most:
        raise TooMuch(f"{path} unpacks to more than {most / MIB:.0f} MiB")
    return data


def check_archive(archive: zipfile.ZipFile, most: int = MOST_BYTES) -> None:
    """Raise zipfile.BadZipFile for an archive that may not be opened.

    That is one with a member outside of its folder (absolute, ``..``, a drive), a link, an encrypted member, too many
    members, or more than ``most`` bytes in all. Python reads no more of a member than its header states, so the stated
    sizes bound what is read.
    """
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise zipfile.BadZipFile(f"{len(members)} members, at most {MOST_MEMBERS}")
    for info in members:
        if not inside(info.filename):
            raise zipfile.BadZipFile("a member lies outside of the archive's folder")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise zipfile.BadZipFile("a member is a link")
        if info.flag_bits & 1:
            raise zipfile.BadZipFile("a member is encrypted")
    total = sum(info.file_size for info in members)
    if total > most:
        raise zipfile.BadZipFile(f"it unpacks to {total / MIB:.0f} MiB, more than {most / MIB:.0f}")


def inside(name: str) -> bool:
    """True for a relative path that stays in its folder: no root, no drive, no ``..``, no control character."""
    plain = name.replace("\\", "/")
    drive = len(plain) > 1 and plain[1] == ":"
    odd = any(ord(c) < 32 or c == "\x7f" for c in plain)
    return bool(plain) and not (plain.startswith("/") or drive or odd or ".." in PurePosixPath(plain).parts)


def load_yaml(text: str) -> Any:
    """Plain values of a YAML text (None: it is empty): no objects, no endless aliases, nothing too deep or too large.

    Raises yaml.YAMLError, of which YamlBomb is one kind. Its aliases may unfold to MOST_VALUES values.
    """
    loader, node = compose_yaml(text)
    return None if node is None else construct(loader, node)


def compose_yaml(text: str) -> tuple[yaml.SafeLoader, yaml.Node | None]:
    """Loader and checked node tree of a text, for those who need the lines; see :func:`load_yaml`."""
    if len(text) > MOST_YAML:
        raise YamlBomb(f"it has {len(text)} characters, at most {MOST_YAML}")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except RecursionError:
        raise YamlBomb("it is nested too deeply") from None
    except (ValueError, OverflowError) as error:  # \U00FFFFFF is no character
        raise yaml.YAMLError(str(error)) from None
    if node is not None:
        if endless(node):
            raise Endless("its aliases repeat one another without end")
        if too_deep(node):
            raise YamlBomb("it is nested too deeply")
        for scalar in _scalars(node):
            if scalar.tag != "tag:yaml.org,2002:str" and len(scalar.value) > MOST_DIGITS:
                raise yaml.YAMLError(f"a number of {len(scalar.value)} characters")
    return loader, node


def construct(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """The values of a checked tree; yaml.YAMLError for a date or a number that cannot be."""
    try:
        return loader.construct_document(node)
    except (ValueError, TypeError, OverflowError, RecursionError, AttributeError, KeyError, IndexError) as error:
        # of PyYAML's constructors, where a tag is on the wrong kind of node or a date or number cannot be
        raise yaml.YAMLError(f"a value cannot be read ({error})") from None


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [x for pair in node.value for x in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _scalars(root: yaml.Node) -> list[yaml.ScalarNode]:
    found, left = [], [root]
    while left:
        one = left.pop()
        if isinstance(one, yaml.ScalarNode):
            found.append(one)
        left += _children(one)
    return found


def endless(node: yaml.Node) -> bool:
    """True if the aliases of a tree unfold to more than :data:`MOST_VALUES` values, or to ever more."""
    left, seen = [node], 0
    while left and seen + len(left) <= MOST_VALUES:
        one = left.pop()
        seen += 1
        left += _children(one)
    return bool(left)


def too_deep(node: yaml.Node) -> bool:
    """True if a tree (without endless aliases) has more than :data:`MOST_LEVELS` levels."""
    level = [node]
    for _ in range(MOST_LEVELS):
        level = [below for one in level for below in _children(one)]
        if not level:
            return False
    return True
