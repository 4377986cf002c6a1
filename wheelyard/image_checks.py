"""What no image can be asked to be; said before anything is built for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelyard.errors import InputError
from wheelyard.image_name import ImageName
from wheelyard.image_request import MOST_LAYERS, ImageRequest
from wheelyard.run_settings import check_run_settings

BASES = ("slim", "debug")
FORMATS = ("oci", "docker")
COMPRESSIONS = ("gzip", "zstd")
# NAME[:TAG]@DIGEST of the distribution specification, with an optional host and port before it.
_BASE = re.compile(
    r"(?:[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*(?::\d+)?/)?[a-z0-9]+(?:(?:\.|_|__|-+|/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?@sha256:[0-9a-f]{64}",
    re.ASCII,
)
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.!+-]{0,249}\.whl")
_NAMES = {
    "packages": (re.compile(r"[a-z0-9][a-z0-9+.-]{1,199}"), "names of Debian packages, such as ffmpeg"),
    "whole_packages": (re.compile(r"[a-z0-9][a-z0-9+.-]{1,199}"), "names of Debian packages, such as ffmpeg"),
    "natives": (re.compile(r"[a-z0-9][a-z0-9_-]{0,62}"), "names of native recipes, such as ffmpeg"),
    "optional_libraries": (re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]{0,199}"), "sonames, such as libGL.so.1"),
}


def check_image_request(request: ImageRequest) -> None:
    """Refuse an image that can't be, whatever its wheels turn out to be.

    :raises InputError: the message says what it is.
    """
    check_run_settings(request)
    _check_content(request)
    for field, (grammar, expected) in _NAMES.items():
        _check_names(field, getattr(request, field), grammar, expected)
    _check_base(request.base)
    _check_tags(request.tags)
    _check_choice("format", request.format, FORMATS)
    _check_choice("compression", request.compression, COMPRESSIONS)
    if (request.format, request.compression) == ("docker", "zstd"):
        raise InputError(
            "docker's format has no zstd layers",
            expected="format oci, or compression gzip",
            do="leave one of the two out",
        )
    _check_numbers(request)
    _check_app_wheel(request)
    _check_source(request.check)


def _check_content(request: ImageRequest) -> None:
    content = (request.build.requirements, request.app, request.app_wheel, request.packages)
    if not any((*content, request.whole_packages, request.natives)):
        raise InputError(
            "the image would hold nothing but its base",
            expected="requirements, an application, packages or natives",
            do="name at least one project, for instance numpy",
        )


def _check_names(field: str, names: Iterable[str], grammar: re.Pattern[str], expected: str) -> None:
    for name in names:
        if not grammar.fullmatch(name):
            raise InputError(f"{field} holds what is no such name", expected=expected, found=repr(name[:200]))


def _check_base(base: str) -> None:
    if base in BASES or _BASE.fullmatch(base):
        return
    raise InputError(
        "the image's base can't be used",
        expected="slim, debug, or an image by its digest: REPOSITORY@sha256:…",
        found=repr(base[:300]),
        do="pin it, for instance python:3.12-slim@sha256:…: a tag may be another image tomorrow",
    )


def _check_tags(tags: Iterable[str]) -> None:
    for tag in tags:
        ImageName.tagged(tag)


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(
            f"the image's {field} can't be used", expected=" or ".join(choices), found=repr(value[:80])
        )


def _check_numbers(request: ImageRequest) -> None:
    if not 1 <= request.layer_limit <= MOST_LAYERS:
        raise InputError(
            "the image's layer limit can't be used",
            expected=f"a number from 1 to {MOST_LAYERS}: no engine takes more layers for sure",
            found=repr(request.layer_limit),
        )
    if request.size_budget is not None and request.size_budget < 1:
        raise InputError(
            "the image's size budget can't be used",
            expected="bytes of all its files, more than 0",
            found=repr(request.size_budget),
        )


def _check_app_wheel(request: ImageRequest) -> None:
    if bool(request.app_wheel) != bool(request.app_wheel_name):
        raise InputError(
            "the application's wheel is only half there",
            expected="app_wheel, the digest of its bytes, and app_wheel_name, its file name",
            found="one without the other",
        )
    if request.app_wheel_name and not _is_wheel_name(request.app_wheel_name):
        raise InputError(
            "app_wheel_name is not a wheel's file name",
            expected="NAME-VERSION-PYTHON-ABI-PLATFORM.whl",
            found=repr(request.app_wheel_name[:200]),
        )


def _is_wheel_name(text: str) -> bool:
    """Whether a text is one; the parser alone takes what no tag has, such as the slashes of a path."""
    try:
        parse_wheel_filename(text)
    except InvalidWheelFilename:
        return False
    return _WHEEL.fullmatch(text) is not None


def _check_source(source: str) -> None:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" in its line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise InputError(
            "the image's check is not Python source",
            found=f"{getattr(error, 'msg', error)}{line}",
            do="mend it, or leave it out",
        ) from error
