"""What programs open while they run, which no ELF file names: a curated table, each row with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Files that are taken with a package of which anything is taken.

    :param package: its name, as `fnmatch` reads it.
    :param takes: package to paths, both as `fnmatch` reads them; of the packages that the closure has.
    :param why: what fails without them.
    :param asked: whether it counts only where the package itself was asked for.
    """

    package: str
    takes: Mapping[str, tuple[str, ...]]
    why: str
    asked: bool = False


# The base's own part of this (NSS and gconv of libc, OpenSSL's providers, certificates, time zones, services)
# is decided in `worker/debian/runtime_base.py`, and is in every image.
TABLE = (
    Opened(
        package="libssl3*",
        takes={"libssl3*": ("usr/lib/*/ossl-modules/*",)},
        why="OpenSSL opens its providers by path: without `legacy` no old PKCS#12 file can be read.",
    ),
    Opened(
        package="libmagic1*",
        takes={"libmagic-mgc": ("usr/lib/file/magic.mgc", "usr/share/misc/magic.mgc")},
        why="libmagic knows no file type without its compiled table.",
    ),
    Opened(
        package="libx11-6",
        takes={
            "libx11-data": (
                "usr/share/X11/XErrorDB",
                "usr/share/X11/locale/*.dir",
                "usr/share/X11/locale/locale.alias",
                "usr/share/X11/locale/C/*",
                "usr/share/X11/locale/en_US.UTF-8/*",
            )
        },
        why="Xlib opens the tables of the locale before any text; others than C and UTF-8 are left out.",
    ),
    Opened(
        package="libxkbcommon0",
        takes={"xkb-data": ("usr/share/X11/xkb/*",)},
        why="Qt and GTK can't open a window where no keymap can be compiled.",
    ),
    Opened(
        package="libfontconfig1",
        takes={
            "fontconfig-config": ("etc/fonts/*", "usr/share/fontconfig/conf.avail/*"),
            "fonts-dejavu-core": ("usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",),
        },
        why="fontconfig fails without its configuration, and who asks it for a font (FFmpeg's drawtext and "
        "subtitles) needs one that is there.",
    ),
    Opened(
        package="libglx-mesa0",
        takes={"libgl1-mesa-dri": ("usr/lib/*/dri/swrast_dri.so", "usr/share/drirc.d/*")},
        why="libglvnd opens its vendor, and Mesa its driver, by name. They weigh 200 MB with LLVM, and only "
        "who draws with OpenGL opens them; so they are taken where Mesa itself is asked for.",
        asked=True,
    ),
    Opened(
        package="libgl1-mesa-dri",
        takes={"libglx-mesa0": ("usr/lib/*/libGLX_mesa.so.0*",)},
        why="A driver of Mesa is of no use without the vendor library that opens it.",
        asked=True,
    ),
    Opened(
        package="libegl-mesa0",
        takes={"libgl1-mesa-dri": ("usr/lib/*/dri/swrast_dri.so", "usr/share/drirc.d/*")},
        why="As for libglx-mesa0: EGL's own door to the software renderer.",
        asked=True,
    ),
    Opened(
        package="libasound2*",
        takes={"libasound2-data": ("usr/share/alsa/*",)},
        why="ALSA reads its configuration before it opens any device, the null device included.",
    ),
    Opened(
        package="libmariadb3",
        takes={"libmariadb3": ("usr/lib/*/libmariadb3/plugin/*",)},
        why="The client opens the authentication that the server asks for, MySQL's default among them.",
    ),
    Opened(
        package="libproj*",
        takes={"proj-data": ("usr/share/proj/*",)},
        why="PROJ opens proj.db for every coordinate system.",
    ),
    Opened(
        package="libgdal*",
        takes={"gdal-data": ("usr/share/gdal/*",)},
        why="GDAL reads its tables of formats and coordinate systems.",
    ),
    Opened(
        package="libvips42*",
        takes={"libvips42*": ("usr/lib/*/vips-modules-*/*",)},
        why="libvips opens a module for each of its larger formats.",
    ),
    Opened(
        package="libmagickcore-*",
        takes={
            "libmagickcore-*": ("usr/lib/*/ImageMagick-*/*",),
            "imagemagick-6-common": ("etc/ImageMagick-6/*", "usr/share/ImageMagick-6/*"),
        },
        why="ImageMagick opens a coder for each format, and its policy before anything.",
    ),
    Opened(
        package="libgs[0-9]*",
        takes={"libgs*-common": ("usr/share/ghostscript/*",)},
        why="Ghostscript reads its initialisation and fonts from there.",
    ),
    Opened(
        package="libtesseract*",
        takes={"tesseract-ocr-*": ("usr/share/tesseract-ocr/*",)},
        why="Tesseract opens the trained tables of each language that was installed with it.",
    ),
    Opened(
        package="libgdk-pixbuf-2.0-0",
        takes={"libgdk-pixbuf-2.0-0": ("usr/lib/*/gdk-pixbuf-2.0/*/loaders/*",)},
        why="gdk-pixbuf opens a loader for each format that is not built in.",
    ),
    Opened(
        package="perl-base",
        takes={
            "perl-base": ("usr/lib/*/perl-base/*",),
            "perl-modules-*": ("usr/share/perl/*",),
            "libperl5*": ("usr/lib/*/perl/*",),
        },
        why="Perl opens its modules by name.",
    ),
)

LINKS = {
    "busybox-static": {
        f"usr/bin/{name}": "busybox"
        for name in (
            *("sh", "ash", "awk", "base64", "basename", "cat", "chmod", "chown", "clear", "cmp", "cp", "cut"),
            *("date", "dd", "df", "diff", "dirname", "dmesg", "du", "echo", "env", "expr", "false", "find"),
            *("free", "grep", "gunzip", "gzip", "head", "hexdump", "hostname", "id", "ip", "kill", "killall"),
            *("less", "ln", "ls", "md5sum", "mkdir", "mkfifo", "mktemp", "more", "mount", "mv", "nc"),
            *(
                "nslookup",
                "od",
                "pidof",
                "ping",
                "printf",
                "ps",
                "pwd",
                "readlink",
                "realpath",
                "rm",
                "rmdir",
            ),
            *("sed", "seq", "sha256sum", "sleep", "sort", "stat", "strings", "tail", "tar", "tee", "test"),
            *("time", "timeout", "top", "touch", "tr", "traceroute", "true", "tty", "umount", "uname"),
            *("uniq", "unzip", "uptime", "vi", "watch", "wc", "wget", "which", "who", "whoami", "xargs"),
        )
    },
}
"""Package to links, path to target, that its own scripts or nobody would make."""


def opened_with(package: str, *, asked: bool) -> Iterator[Opened]:
    """What the table has for a package.

    :param asked: whether the package itself was asked for.
    """
    for row in TABLE:
        if fnmatchcase(package, row.package) and (asked or not row.asked):
            yield row
