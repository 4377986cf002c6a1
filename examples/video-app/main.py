"""A small video application: reads a clip, draws on its frames, writes another clip, says what came of it.

`python3 main.py [CLIP]`. Where there is no clip yet, it makes one there, or in a folder of its own where it
may not write. OpenCV reads and draws; moviepy writes where there is an ffmpeg, OpenCV's own Motion JPEG
elsewhere. The last line of its output is one JSON document: `result` is the same wherever it runs, within
`tolerance`; `versions` says what it ran on.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CLIP = "/shared/clip.avi"
WIDTH, HEIGHT, FRAMES, RATE, SIDE = 320, 180, 48, 24, 36
AMBER, WHITE = (40, 160, 255), (255, 255, 255)  # blue, green, red, as OpenCV orders them
GRID, SAMPLES = 4, 6
TOLERANCE = 4
"""How far two fingerprints may be apart, of 255: codecs of other versions round otherwise."""

Picture = np.ndarray[Any, np.dtype[np.uint8]]


def make_clip(place: Path) -> None:
    """Write the clip: an amber square on slow blue waves, as Motion JPEG, which every OpenCV has."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    part = place.with_name(f".part-{place.name}")
    writer = cv2.VideoWriter(
        str(part), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), RATE, (WIDTH, HEIGHT)
    )
    if not writer.isOpened():
        raise OSError(f"{place} can't be written")
    for number in range(FRAMES):
        turn = 2 * np.pi * number / FRAMES
        level = (np.sin(x / 31 + turn) + np.sin(y / 23 - turn) + 2) / 4
        frame = np.stack([80 + 110 * level, 45 + 70 * level, 30 + 30 * level], axis=2).astype(np.uint8)
        left = round(WIDTH / 2 - SIDE / 2 + 110 * np.sin(turn))
        top = round(HEIGHT / 2 - SIDE / 2 + 55 * np.sin(2 * turn))
        cv2.rectangle(frame, (left, top), (left + SIDE, top + SIDE), AMBER, -1)
        writer.write(frame)
    writer.release()
    part.replace(place)


def read_frames(place: Path) -> Iterator[Picture]:
    """The frames of a clip, blue first."""
    reader = cv2.VideoCapture(str(place))
    try:
        while True:
            more, frame = reader.read()
            if not more:
                return
            yield frame.astype(np.uint8)
    finally:
        reader.release()


def find_square(frame: Picture) -> tuple[int, int] | None:
    """The centre of the largest amber thing in a frame."""
    colours = cv2.cvtColor(cv2.GaussianBlur(frame, (5, 5), 0), cv2.COLOR_BGR2HSV)
    mask = cv2.inRange(colours, np.array([8, 120, 120]), np.array([28, 255, 255]))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) < SIDE * SIDE / 4:
        return None
    left, top, width, height = cv2.boundingRect(largest)
    return left + width // 2, top + height // 2


def draw(frames: list[Picture]) -> tuple[list[Picture], int]:
    """Each frame with a ring around the square, its way so far and its number; and how often it was found."""
    drawn, way = [], []
    for number, frame in enumerate(frames):
        centre = find_square(frame)
        picture = frame.copy()
        if centre is not None:
            way.append(centre)
            cv2.circle(picture, centre, SIDE, WHITE, 2, cv2.LINE_AA)
        if len(way) > 1:
            cv2.polylines(picture, [np.array(way, np.int32).reshape(-1, 1, 2)], False, AMBER, 2, cv2.LINE_AA)
        cv2.putText(picture, f"{number:03}", (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, WHITE, 1, cv2.LINE_AA)
        drawn.append(picture)
    return drawn, len(way)


def write_frames(frames: list[Picture], folder: Path) -> tuple[Path, str]:
    """Write the result; gives its file and who wrote it."""
    if shutil.which("ffmpeg"):
        # Imported here: without an ffmpeg there is nothing that moviepy could do.
        import moviepy

        target = folder / "result.mp4"
        clip = moviepy.ImageSequenceClip([frame[:, :, ::-1] for frame in frames], fps=RATE)
        clip.write_videofile(
            str(target), codec="mpeg4", audio=False, logger=None, ffmpeg_params=["-q:v", "2"]
        )
        clip.close()
        return target, f"moviepy {moviepy.__version__}"
    target = folder / "result.avi"
    writer = cv2.VideoWriter(
        str(target), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), RATE, (WIDTH, HEIGHT)
    )
    for frame in frames:
        writer.write(frame)
    writer.release()
    return target, "OpenCV"


def read_back(place: Path) -> list[Picture]:
    """The frames of the result: by whoever wrote it, since not every OpenCV has an ffmpeg in it."""
    if place.suffix == ".avi":
        return list(read_frames(place))
    import moviepy

    clip = moviepy.VideoFileClip(str(place), audio=False)
    try:
        return [frame[:, :, ::-1].astype(np.uint8) for frame in clip.iter_frames()]
    finally:
        clip.close()


def fingerprint(frames: list[Picture]) -> list[int]:
    """A checksum that forgives: the mean grey of each cell of a grid over a few frames, 0 to 255."""
    cells = []
    for number in np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int) if frames else ():
        grey = cv2.cvtColor(frames[number], cv2.COLOR_BGR2GRAY)
        cells += [
            round(float(cell.mean()))
            for row in np.array_split(grey, GRID, axis=0)
            for cell in np.array_split(row, GRID, axis=1)
        ]
    return cells


def clip_of(wanted: Path, own: Path) -> Path:
    """The clip that is there, or one that is made now: where it is wanted, or else in a folder of our own."""
    if wanted.is_file():
        return wanted
    for place in (wanted, own / "clip.avi"):
        try:
            make_clip(place)
        except OSError:
            continue
        return place
    raise SystemExit(f"neither {wanted} nor {own} can be written")


def main() -> int:
    """Read, draw, write, read again, say."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = clip_of(Path(sys.argv[1] if len(sys.argv) > 1 else CLIP), folder)
        frames = list(read_frames(clip))
        drawn, found = draw(frames)
        result, writer = write_frames(drawn, folder)
        seen = read_back(result)
    shape = seen[0].shape if seen else (0, 0)
    document = {
        "result": {
            "read": len(frames),
            "found": found,
            "frames": len(seen),
            "width": int(shape[1]),
            "height": int(shape[0]),
            "fingerprint": fingerprint(seen),
        },
        "tolerance": TOLERANCE,
        "versions": {
            "Python": platform.python_version(),
            "numpy": np.__version__,
            "OpenCV": cv2.__version__,
            "written by": writer,
        },
    }
    print(json.dumps(document))
    return 0 if len(seen) == len(frames) == found == FRAMES else 1


if __name__ == "__main__":
    sys.exit(main())
