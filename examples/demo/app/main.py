"""The demo's application: makes a clip with numpy, tracks what moves in it with cv2, and checks the result.

It runs in the slim image: no network, a read-only root, an ordinary user. Its standard output is one JSON
document: what was checked, and the picture that it drew. Its exit status says whether every check held.
"""

from __future__ import annotations

import base64
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT, FRAMES, SIDE = 640, 360, 96, 46
AMBER, INK, WHITE = (40, 160, 255), (60, 36, 24), (255, 255, 255)  # blue, green, red, as OpenCV orders them

Picture = np.ndarray[Any, np.dtype[np.uint8]]
Points = np.ndarray[Any, np.dtype[np.float64]]


def true_path() -> Points:
    """Where the square's centre is in each frame: a Lissajous figure, (FRAMES, 2) pixels."""
    turn = np.linspace(0, 2 * np.pi, FRAMES, endpoint=False)
    return np.stack([WIDTH / 2 + 240 * np.sin(2 * turn), HEIGHT / 2 + 118 * np.sin(3 * turn)], axis=1)


def background(frame: int) -> Picture:
    """Slow blue waves, without a trace of amber, so that a colour threshold can tell the square from them."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    phase = 2 * np.pi * frame / FRAMES
    wave = (
        np.sin(x / 53 + phase) + np.sin(y / 37 - phase) + np.sin(np.hypot(x - WIDTH / 2, y - HEIGHT / 2) / 29)
    )
    level = (wave + 3) / 6
    return np.stack([70 + 110 * level, 40 + 75 * level, 30 + 30 * level], axis=2).astype(np.uint8)


def make_clip(path: Points) -> list[Picture]:
    """The frames: the waves, and a turning square whose centre follows the path to a sixteenth of a pixel."""
    frames = []
    for number, (x, y) in enumerate(path):
        frame = background(number)
        corners = cv2.boxPoints(((float(x), float(y)), (SIDE, SIDE), number * 360 / FRAMES))
        cv2.fillConvexPoly(frame, np.round(corners * 16).astype(np.int32), AMBER, cv2.LINE_AA, shift=4)
        frames.append(frame)
    return frames


def write_and_read(frames: list[Picture], folder: Path) -> list[Picture]:
    """The clip through OpenCV's own Motion JPEG encoder and decoder, by way of a file."""
    target = str(folder / "clip.avi")
    writer = cv2.VideoWriter(
        target, cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 24, (WIDTH, HEIGHT)
    )
    for frame in frames:
        writer.write(frame)
    writer.release()
    reader = cv2.VideoCapture(target, cv2.CAP_OPENCV_MJPEG)
    decoded = []
    while True:
        more, picture = reader.read()
        if not more:
            break
        decoded.append(picture)
    reader.release()
    return decoded


def find_square(frame: Picture) -> tuple[Points, float]:
    """Centre and area of the largest amber contour."""
    colours = cv2.cvtColor(cv2.GaussianBlur(frame, (5, 5), 0), cv2.COLOR_BGR2HSV)
    mask = cv2.inRange(colours, np.array([8, 120, 120]), np.array([28, 255, 255]))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None:
        return np.array([-1.0, -1.0]), 0.0
    moments = cv2.moments(largest)
    centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    return centre, float(cv2.contourArea(largest))


def measure_flow(frames: list[Picture], centres: Points) -> Points:
    """The square's motion from frame to frame as sparse optical flow sees it, (FRAMES - 1, 2) pixels."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    steps = []
    for before, after, centre in zip(grey, grey[1:], centres, strict=False):
        seeds = cv2.goodFeaturesToTrack(before, 16, 0.01, 5, mask=around(before.shape, centre))
        moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, seeds, None, winSize=(41, 41), maxLevel=3)
        steps.append(np.median((moved - seeds).reshape(-1, 2)[found.ravel() == 1], axis=0))
    return np.array(steps)


def around(shape: tuple[int, ...], centre: Points) -> Picture:
    """A mask of the square's neighbourhood."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.circle(mask, tuple(int(value) for value in np.round(centre)), SIDE * 3 // 4, 255, -1)
    return mask


def draw(frames: list[Picture], path: Points) -> Picture:
    """The picture: nine moments of the clip over each other, and the path that was tracked."""
    sheet = (frames[0].astype(np.float32) * 0.55 + np.array(INK, np.float32) * 0.45).astype(np.uint8)
    points = np.round(path * 16).astype(np.int32).reshape(-1, 1, 2)
    glow = np.zeros_like(sheet)
    cv2.polylines(glow, [points], True, AMBER, 5, cv2.LINE_AA, shift=4)
    sheet = cv2.add(sheet, cv2.GaussianBlur(glow, (0, 0), 7))
    cv2.polylines(sheet, [points], True, (150, 215, 255), 2, cv2.LINE_AA, shift=4)
    for number in range(0, FRAMES, FRAMES // 8):
        colours = cv2.cvtColor(frames[number], cv2.COLOR_BGR2HSV)
        mask = cv2.inRange(colours, np.array([8, 120, 120]), np.array([28, 255, 255]))
        sheet[mask > 0] = frames[number][mask > 0]
        centre = tuple(int(value) for value in np.round(path[number]))
        cv2.circle(sheet, centre, 4, WHITE, -1, cv2.LINE_AA)
        cv2.circle(sheet, centre, SIDE - 8, WHITE, 1, cv2.LINE_AA)
    return sheet


def main() -> int:
    """Make, encode, decode, track, check, draw, say."""
    path = true_path()
    frames = make_clip(path)
    with tempfile.TemporaryDirectory() as folder:
        decoded = write_and_read(frames, Path(folder))
        clip_bytes = (Path(folder) / "clip.avi").stat().st_size
    checks: list[dict[str, Any]] = []

    def check(what: str, held: bool, found: str) -> None:
        checks.append({"what": what, "held": bool(held), "found": found})

    check(
        "the clip has as many frames after decoding as before",
        len(decoded) == FRAMES,
        f"{len(decoded)} frames",
    )
    likeness = min((cv2.PSNR(*pair) for pair in zip(frames, decoded, strict=False)), default=0.0)
    check("every decoded frame looks like its original", likeness > 30, f"PSNR at least {likeness:.1f} dB")
    tracked = [find_square(frame) for frame in decoded]
    found = np.array([centre for centre, _ in tracked])
    off = float(np.linalg.norm(found - path[: len(found)], axis=1).max()) if len(found) else float("inf")
    check("contours find the square where it was drawn", off < 1.0, f"at most {off:.2f} pixels off")
    area = float(np.median([size for _, size in tracked])) if tracked else 0.0
    check(
        "the contour is as large as the square",
        abs(area / SIDE**2 - 1) < 0.12,
        f"{area:.0f} of {SIDE**2} pixels",
    )
    error = float(np.median(np.linalg.norm(measure_flow(decoded, found) - np.diff(path, axis=0), axis=1)))
    check(
        "optical flow sees how fast it moves", error < 1.0, f"{error:.2f} pixels a frame off, at the median"
    )
    spectrum = np.abs(np.fft.rfft(found[:, 0] - found[:, 0].mean()))
    check(
        "numpy's FFT hears two swings from side to side",
        int(spectrum.argmax()) == 2,
        f"{int(spectrum.argmax())}",
    )
    picture = draw(decoded, found)
    packed = cv2.imencode(".png", picture)[1]
    same = np.array_equal(cv2.imdecode(packed, cv2.IMREAD_COLOR), picture)
    check("a PNG of the picture decodes to the same pixels", same, f"{packed.size} bytes")
    document = {
        "checks": checks,
        "versions": {"Python": platform.python_version(), "numpy": np.__version__, "OpenCV": cv2.__version__},
        "clip": {"frames": len(decoded), "width": WIDTH, "height": HEIGHT, "bytes": clip_bytes},
        "png": base64.b64encode(packed.tobytes()).decode(),
    }
    json.dump(document, sys.stdout)
    return 0 if all(one["held"] for one in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
