"""Downloads: bytes a second through our front door, streamed and redirected, over what S3 itself gives."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from wheelyard.digests import Digest
from wheelyard.process import run_command

STREAMS = 4
TIMES = 6
SIZE = 32 << 20
AIM = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Megabytes (10^6) a second, of four streams together."""

    megabytes_per_second: float

    def line(self, what: str, of: Speed | None = None) -> str:
        """One line for people.

        :param of: what the S3 server gave.
        """
        text = f"{what:<44} {self.megabytes_per_second:9.0f} MB/s"
        if of is None:
            return text
        share = self.megabytes_per_second / of.megabytes_per_second
        verdict = "within" if share >= AIM else "BELOW"
        return f"{text}  {share:.0%} of S3's ({verdict} the aim of {AIM:.0%})"


def random_blob() -> tuple[Digest, bytes]:
    """Bytes that nothing on the way can make smaller."""
    body = secrets.token_bytes(SIZE)
    return Digest.of(body), body


def fetch(places: list[str]) -> Speed:
    """Fetch a file again and again over as many connections as there are addresses, with curl, and count.

    :param places: addresses of the file, one for each connection.
    :raises InfrastructureError: a transfer failed.
    """

    def stream(place: str) -> int:
        targets = [word for _ in range(TIMES) for word in ("-o", "/dev/null", place)]
        options = ["--silent", "--show-error", "--fail", "--location", "--write-out", "%{size_download}\\n"]
        counted = run_command(["curl", *options, *targets], timeout=600)
        return sum(int(line) for line in counted.split())

    with ThreadPoolExecutor(len(places)) as pool:
        list(
            pool.map(
                lambda place: run_command(["curl", "-sfL", "-o", "/dev/null", place], timeout=600), places[:1]
            )
        )
        began = time.perf_counter()
        size = sum(pool.map(stream, places))
        took = time.perf_counter() - began
    wanted = len(places) * TIMES * SIZE
    if size != wanted:
        raise RuntimeError(f"{size} bytes came, {wanted} were asked for")
    return Speed(megabytes_per_second=round(size / took / 1e6, 1))
