"""What a toolchain's making starts is its job's, so that a sweep and a cancel find it."""

from worker.engine.contract import ContainerSpec
from worker.engine.labelled import labelled


class Handle:
    def __enter__(self):
        return "container"

    def __exit__(self, *exc):
        pass


class Engine:
    name = "podman"

    def __init__(self):
        self.started = []

    def start(self, spec):
        self.started.append(spec)
        return Handle()


def test_every_container_carries_the_jobs_labels_and_is_watched():
    engine, watched = Engine(), []
    ours = labelled(engine, job="j" * 32, owner="host/1/x", watch=watched.append)
    spec = ContainerSpec(image="sha256:x", job="toolchain-t", owner="toolchain", memory=1, pids=7)
    with ours.start(spec) as container:
        assert watched == [container] == ["container"]
    assert engine.started == [
        ContainerSpec(image="sha256:x", job="j" * 32, owner="host/1/x", memory=1, pids=7)
    ]
    assert ours.name == "podman"
