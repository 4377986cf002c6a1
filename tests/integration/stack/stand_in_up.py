"""`wheelyard up` with real servers, and stand-ins for the rooms: a front door that is ready, and sleepers.

Arguments choose what a room does: `plans=die`, `compile=stubborn`, `relay=grandchild`, `api=none`.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from wheelyard.errors import WheelyardError
from wheelyard.settings import Settings, read_settings
from wheelyard.stack import run_stack
from wheelyard.stack.assembly import Assembly, assemble
from wheelyard.stack.stack_folder import StackFolder

ROOM = Path(__file__).with_name("stand_in_room.py")


def with_stand_ins(settings: Settings, folder: StackFolder) -> Assembly:
    real = assemble(settings, folder)
    chosen = dict(argument.split("=") for argument in sys.argv[1:])
    rooms = []
    for room in real.rooms:
        stand_in = (sys.executable, str(ROOM), room.name, chosen.get(room.name, "live"), str(settings.port))
        rooms.append(dataclasses.replace(room, argv=stand_in))
    migration = dataclasses.replace(real.migration, argv=(sys.executable, "-c", "print('no tables here')"))
    return dataclasses.replace(real, rooms=tuple(rooms), migration=migration)


if __name__ == "__main__":
    try:
        sys.exit(run_stack(read_settings(), with_stand_ins))
    except WheelyardError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(error.exit_code)
