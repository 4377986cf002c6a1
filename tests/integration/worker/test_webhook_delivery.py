"""Webhooks on their way: real receivers on loopback, which answer as receivers do."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from tests.databases import migrated_sqlite
from wheelyard.jobs.database import Database
from wheelyard.jobs.deliveries import Deliveries
from wheelyard.jobs.ledger import Ledger
from wheelyard.jobs.states import Kind
from wheelyard.settings import Settings
from wheelyard.webhooks import signed_headers, signing_key
from worker import webhook_delivery
from worker.webhook_delivery import WebhookSender, pause_after

SECRET = "whsec_" + "QUFB" * 8


class Receiver:
    """Notes what it gets, and answers with the statuses that it was given, the last one for ever."""

    def __init__(self):
        self.got = []
        self.statuses = [204]
        self.headers = {}
        self.tail = b""
        self.tail_sent = False
        received = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                received.got.append((self.path, dict(self.headers.items()), body))
                status = received.statuses[0] if len(received.statuses) == 1 else received.statuses.pop(0)
                self.send_response(status)
                for name, value in received.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(received.tail)
                received.tail_sent = True

            def log_message(self, *_args):
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # The usual five refuse some of forty that come at once.
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Door)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Clock:
    def __init__(self):
        self.skipped = 0.0

    def __call__(self):
        return time.time() + self.skipped


class World:
    def __init__(self, tmp_path, **fields):
        self.database, self.clock = Database(migrated_sqlite(tmp_path / "jobs.db")), Clock()
        self.ledger = Ledger(self.database, self.clock)
        self.deliveries = Deliveries(self.database, self.clock)
        own = {"webhook_secret": SecretStr(SECRET), "webhook_hosts": "127.0.0.1", "data_dir": tmp_path}
        self.settings = Settings(**(own | fields))

    def sender(self, resolve=None, **fields):
        settings = self.settings.model_copy(update=fields)
        services = SimpleNamespace(settings=settings, ledger=self.ledger)
        return WebhookSender(services, self.deliveries, resolve=resolve, clock=self.clock)

    def ended(self, url):
        job, _joined = self.ledger.submit(
            Kind.BUILD, f"job {time.time_ns()}", spec={}, title="numpy", toolchain="t", webhook=url
        )
        self.ledger.succeed(self.ledger.claim(job.id, "w", 30), {"wheels": []})
        return job.id

    def delivery(self, job):
        (found,) = self.deliveries.of_job(job)
        return found

    def notes(self):
        jobs = self.ledger.latest()
        return [(one.attempts, one.found) for job in jobs for one in self.deliveries.of_job(job.id)]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.database.close()


def test_an_end_is_told_with_a_signature_that_the_receiver_can_check(world, receiver):
    job = world.ended(receiver.url)
    assert world.sender().send_due() == 1
    ((path, headers, body),) = receiver.got
    assert path == "/hook?x=1"
    document = json.loads(body)
    assert (document["type"], document["data"]["id"]) == ("build.succeeded", job)
    expected = signed_headers(
        signing_key(SECRET), headers["webhook-id"], int(headers["webhook-timestamp"]), body
    )
    assert headers["webhook-signature"] == expected["webhook-signature"]
    assert headers["host"] == receiver.url.split("/")[2]
    delivery = world.delivery(job)
    assert (delivery.outcome, delivery.attempts, delivery.found) == ("delivered", 1, "204")
    assert delivery.id == headers["webhook-id"]
    assert world.sender().send_due() == 0


def test_it_is_tried_again_with_the_same_id_and_body_until_it_is_taken(world, receiver):
    receiver.statuses = [503, 400, 200]
    job = world.ended(receiver.url)
    for _ in range(3):
        world.sender().send_due()
        world.clock.skipped += 3600
    assert len({(headers["webhook-id"], body) for _path, headers, body in receiver.got}) == 1
    stamps = [int(headers["webhook-timestamp"]) for _path, headers, _body in receiver.got]
    assert stamps[0] < stamps[1] < stamps[2]
    assert (world.delivery(job).outcome, world.delivery(job).attempts) == ("delivered", 3)


def test_what_is_gone_is_not_tried_again(world, receiver):
    receiver.statuses = [410]
    job = world.ended(receiver.url)
    world.sender().send_due()
    world.clock.skipped += 1e6
    assert world.sender().send_due() == 0
    assert (world.delivery(job).outcome, world.delivery(job).found[:9]) == ("given-up", "410, gone")


def test_after_the_last_try_it_is_given_up(world, receiver):
    receiver.statuses = [500]
    job = world.ended(receiver.url)
    for _ in range(5):
        world.sender(webhook_attempts=3).send_due()
        world.clock.skipped += 1e6
    assert (world.delivery(job).outcome, len(receiver.got)) == ("given-up", 3)


def test_a_redirect_is_not_followed(world, receiver):
    other = Receiver()
    receiver.statuses, receiver.headers = [307], {"location": other.url}
    job = world.ended(receiver.url)
    world.sender().send_due()
    assert (other.got, world.delivery(job).found) == ([], "307, a redirect, which is not followed")
    other.server.shutdown()
    other.server.server_close()


def test_an_answer_without_end_is_not_read(world, receiver):
    receiver.tail = b"x" * (256 << 20)
    job = world.ended(receiver.url)
    world.sender().send_due()
    assert world.delivery(job).outcome == "delivered"
    assert not receiver.tail_sent


def test_a_receiver_that_drips_has_no_more_time_than_another(world, monkeypatch):
    monkeypatch.setattr(webhook_delivery, "_TRY_SECONDS", 1.0)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()

        def drip():
            connection, _ = one.accept()
            with connection:
                for piece in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000:
                    try:
                        connection.sendall(bytes([piece]))
                    except OSError:
                        return
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        job = world.ended(f"http://127.0.0.1:{one.getsockname()[1]}/")
        begun = time.monotonic()
        world.sender().send_due()
        assert time.monotonic() - begun < 30
    assert (world.delivery(job).outcome, world.delivery(job).found) == ("due", "no answer within 1 s")


def test_nobody_there_is_said_and_tried_again(world):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        job = world.ended(f"http://127.0.0.1:{one.getsockname()[1]}/")
        world.sender().send_due()
    delivery = world.delivery(job)
    assert (delivery.outcome, delivery.found.split(":")[0]) == ("due", "ConnectError")


def test_two_senders_send_each_message_once(world, receiver):
    for _ in range(30):
        world.ended(receiver.url)
    senders = [world.sender(), world.sender()]
    with ThreadPoolExecutor(2) as pool:
        while sum(pool.map(lambda sender: sender.send_due(), senders)):
            pass
    ids = [headers["webhook-id"] for _path, headers, _body in receiver.got]
    assert (len(ids), len(set(ids))) == (30, 30), world.notes()


def test_a_name_that_leads_into_the_network_is_not_called(world, receiver):
    port = receiver.server.server_port
    job = world.ended(f"https://hooks.example.org:{port}/")
    for addresses in (["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"]):
        world.sender(lambda _host, _port, found=addresses: found, webhook_hosts="").send_due()
        assert "is not on the public internet" in world.delivery(job).found
        world.clock.skipped += 3600
    assert receiver.got == []


def test_the_address_that_was_checked_is_the_one_that_is_called(world, receiver):
    """A name whose second answer is another one (DNS rebinding) is asked once only."""
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    port = receiver.server.server_port
    job = world.ended(f"http://hooks.internal:{port}/x")
    world.sender(lambda _host, _port: answers.pop(0), webhook_hosts="*.internal").send_due()
    assert (world.delivery(job).outcome, len(answers)) == ("delivered", 1)
    assert receiver.got[0][1]["host"] == f"hooks.internal:{port}"


def test_a_name_that_can_not_be_looked_up_is_said(world):
    for host in ("no-such-host.invalid", f"{'x' * 70}.invalid"):
        job = world.ended(f"https://{host}/")
        world.sender(webhook_hosts="").send_due()
        assert "can't be looked up" in world.delivery(job).found


def test_without_a_secret_what_is_due_waits(world, receiver):
    job = world.ended(receiver.url)
    assert world.sender(webhook_secret=SecretStr("")).send_due() == 0
    assert (world.delivery(job).outcome, world.delivery(job).attempts) == ("due", 0)


def test_the_tries_spread_over_about_a_day():
    pauses = [pause_after(number, 8.0, 0.5) for number in range(1, 10)]
    assert pauses[:3] == [8.0, 24.0, 72.0]
    assert 20 < sum(pauses) / 3600 < 26
    assert (pause_after(1, 10.0, 0.0), pause_after(1, 10.0, 1.0)) == (8.0, 12.0)
