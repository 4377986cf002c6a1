"""Who needs whom, as the notes in a lock say."""

from worker.lock_needs import needs_of

LOCK = """\
numpy==2.4.6 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
    # via
    #   -c constraints.txt
    #   -r requirements.in
    #   opencv-python-headless
opencv-python-headless==5.0.0.93 \\
    --hash=sha256:cccc
    # via -r requirements.in
six==1.17.0 \\
    --hash=sha256:dddd
    # via Python_Dateutil
python-dateutil==2.9.0 \\
    --hash=sha256:eeee
    # via -r requirements.in
"""


def test_reads_who_needs_whom_from_the_notes():
    assert needs_of(LOCK) == {
        "numpy": frozenset(),
        "opencv-python-headless": frozenset({"numpy"}),
        "six": frozenset(),
        "python-dateutil": frozenset({"six"}),
    }
