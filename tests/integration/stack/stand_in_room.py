"""A stand-in for one room: `NAME HOW PORT`."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import time


class FrontDoor(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def main() -> None:
    name, how, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(f"{name} lives as {os.getpid()}", flush=True)
    if how == "die":
        print(f"{name} has had enough", flush=True)
        sys.exit(7)
    if how == "grandchild":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(f"grandchild {child.pid}", flush=True)
    if how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if name == "api":
        http.server.HTTPServer(("127.0.0.1", port), FrontDoor).serve_forever()
    time.sleep(600)


if __name__ == "__main__":
    main()
