"""Lets a compile run in another place and at another time, for a wheel that is built again to be compared.

It runs in the build container, in the process of `build_wheel.py` and before the project's backend. What it
makes lies beside the sources, and shows in no output: compilers are found under their usual names, and write
the usual folder where they would write this one.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

USUAL_ROOT = "/build"
COMPILER_CACHE = "/usr/lib/ccache"
COMPILER = re.compile(
    r"([a-z0-9_]+-linux-gnu-)?(gcc|g\+\+|cc|c\+\+|c89|c99|gfortran|clang|clang\+\+|rustc)(-\d+)?"
)
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t later = LATER;

/* The compiler cache deletes what it left unfinished days ago: by this clock that is what it writes just now,
   for the times of files are the kernel's. It then runs the compiler without itself, on other paths. */
__attribute__((constructor)) static void leave_compiler_cache_alone(void) {
    char program[4096];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size <= 0) return;
    program[size] = 0;
    if (strcmp(basename(program), "ccache") == 0) later = 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        now->tv_sec += later;
    return failed;
}

time_t time(time_t *target) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (target) *target = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *target, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    target->tv_sec = now.tv_sec;
    target->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int timespec_get(struct timespec *target, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, target) == 0 ? base : 0;
}

/* Who waits until a moment of this clock would wait for all the time that it goes ahead. */
static struct timespec real(const struct timespec *until) {
    struct timespec now, found = *until;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    if (found.tv_sec - now.tv_sec > later / 2) found.tv_sec -= later;
    return found;
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    static int (*usual)(sem_t *, const struct timespec *);
    struct timespec moment = real(until);
    if (!usual) *(void **)&usual = dlsym(RTLD_NEXT, "sem_timedwait");
    return usual(semaphore, &moment);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*usual)(pthread_mutex_t *, const struct timespec *);
    struct timespec moment = real(until);
    if (!usual) *(void **)&usual = dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
    return usual(mutex, &moment);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*usual)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec moment = real(until);
    /* x86-64 has an older one of that name, too. */
    if (!usual) *(void **)&usual = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!usual) *(void **)&usual = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return usual(condition, mutex, &moment);
}
"""


def enter(job: dict[str, Any]) -> None:
    """Change what the compile's processes inherit: their compilers, their clock and their umask."""
    root, wanted = Path(job["root"]), job["elsewhere"]
    if wanted["later"] and set_clock(root, int(wanted["later"])):
        print(f"the clock of the compile is {wanted['later']} seconds ahead")
    names = hide_root(root)
    print(f"the compile runs in {root}, which {len(names)} compilers write as {USUAL_ROOT}")
    os.umask(int(wanted["umask"]))


def hide_root(root: Path) -> list[str]:
    """Put compilers that write `/build` for the root in front of the real ones; returns their names.

    The compiler cache, through which builds call them, stays in front: its path is in some outputs.
    """
    folders = os.environ["PATH"].split(":")
    wrappers = root / "compilers"
    wrappers.mkdir()
    made: dict[str, Path] = {}
    for folder in map(Path, folders):
        if str(folder) == COMPILER_CACHE or not folder.is_dir() or folder.is_relative_to(USUAL_ROOT):
            continue
        for program in sorted(folder.iterdir()):
            if COMPILER.fullmatch(program.name) and os.access(program, os.X_OK):
                made.setdefault(program.name, program)
    for name, program in made.items():
        wrapper = wrappers / name
        option = "--remap-path-prefix" if name.startswith("rustc") else "-ffile-prefix-map"
        wrapper.write_text(f'#!/bin/sh\nexec {program} {option}={root}={USUAL_ROOT} "$@"\n')
        wrapper.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    at = folders.index(COMPILER_CACHE) + 1 if COMPILER_CACHE in folders else 0
    os.environ["PATH"] = ":".join([*folders[:at], str(wrappers), *folders[at:]])
    return sorted(made)


def set_clock(root: Path, later: int) -> bool:
    """Let the clock of the processes to come go ahead; False where the toolchain can't compile what does it.

    :param later: in seconds.
    """
    compiler = shutil.which("gcc", path="/usr/local/bin:/usr/bin:/bin") or shutil.which("gcc")
    if compiler is None:
        return False
    source, library = root / "clock.c", root / "clock.so"
    source.write_text(CLOCK)
    done = subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", f"-DLATER={later}L", "-o", str(library), str(source), "-ldl"],
        env={**os.environ, "CCACHE_DISABLE": "1"}, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        return False
    os.environ["LD_PRELOAD"] = str(library)
    return True
