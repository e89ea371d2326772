"""A repeat with an Idempotency-Key gets its number, whatever was killed meanwhile."""

import http.client
import itertools
import json
import os
import random
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import held
from tests.support.ports import new_port
from tests.support.service import (
    JOB,
    PATIENCE,
    Answer,
    Serve,
    Service,
    ask,
    wait_until,
)

SERIES = "/v1/series/svc"

every_take = pytest.mark.parametrize("path", [JOB, SERIES, f"{SERIES}?count=1"])


def with_key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": f'"{key}"'}


def post(running: Service, path: str, key: str = "first") -> Answer:
    return running.ask("POST", path, headers=with_key(key))


def send(connection: socket.socket, path: str, key: str = "first") -> None:
    """Send a request with a key, and do not wait for the answer."""
    head = f'POST {path} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: "{key}"\r\nContent-Length: 0\r\n'
    connection.sendall(f"{head}\r\n".encode())


def waiting_writers(folder: Path) -> int:
    """Return how many processes are waiting for their turn to write (proc_locks(5))."""
    files = {(folder / name).stat().st_ino for name in ("turn.lock", "write.lock")}
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return sum(
        line[1] == "->" and line[2] == "FLOCK" and int(line[6].rpartition(":")[2]) in files
        for line in lines
    )


def answers(running: Service, path: str) -> bool:
    """Return whether a series has a value."""
    return running.get(path.partition("?")[0]).status == 200


# One client


@every_take
def test_what_was_taken_before_kill_9_is_given_to_the_retry_after_a_restart(
    serve: Serve, path: str
) -> None:
    first = serve()
    with first.socket() as client:
        send(client, path)
        wait_until(lambda: answers(first, path), "the number is taken")
        # The client never reads its answer.
        first.kill()

    second = serve()
    for _ in range(2):
        retry = post(second, path)
        assert (retry.status, retry.value) == (200, 1)
    assert second.take(path) == 2


@every_take
def test_what_kill_9_came_before_is_taken_by_the_retry_after_a_restart(
    serve: Serve, folder: Path, path: str
) -> None:
    first = serve()
    with held(folder), first.socket() as client:
        send(client, path)
        wait_until(lambda: waiting_writers(folder) == 1, "the request waits for its turn")
        first.kill()

    second = serve()
    assert not answers(second, path)
    for _ in range(2):
        retry = post(second, path)
        assert (retry.status, retry.value) == (200, 1)
    assert second.take(path) == 2


def test_a_retry_is_known_after_any_number_of_restarts(serve: Serve) -> None:
    for stop in (Service.kill, Service.stop, Service.kill):
        running = serve()
        answer = post(running, f"{SERIES}?count=100")
        assert answer.json["first"] == 1
        assert answer.value == 100
        stop(running)
    assert serve().take(SERIES) == 101


# A retry beside the first request


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_retry_while_the_first_is_in_progress_gets_the_same_number(
    serve: Serve, folder: Path, workers: str
) -> None:
    running = serve("--workers", workers)
    # With two workers, each has one of the requests.
    of_each = sorted(running.workers())
    first, retry = running.connect_to(of_each[0]), running.connect_to(of_each[-1])
    with held(folder):
        for client in (first, retry):
            client.request("POST", SERIES, headers=with_key("first"))
            wait_until(lambda: waiting_writers(folder) > 0, "a worker waits for its turn")
        wait_until(lambda: waiting_writers(folder) == int(workers), "both wait for their turn")
        # A worker begins with requests in order: so it has begun with the retry.
        assert not answers(running, SERIES)
    for client in (first, retry):
        with client.getresponse() as response:
            assert response.status == 200
            assert json.loads(response.read())["value"] == 1
        client.close()
    assert running.take(SERIES) == 2


def test_all_of_many_retries_at_once_get_the_same_number(serve: Serve) -> None:
    running = serve("--workers", "2")
    for number in range(1, 11):
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda key: post(running, SERIES, key), [f"key {number}"] * 16))
        assert {(answer.status, answer.value) for answer in answers} == {(200, number)}
    assert running.take(SERIES) == 11


def test_of_two_requests_at_once_with_one_key_only_one_gets_a_number(
    serve: Serve, folder: Path
) -> None:
    running = serve("--workers", "2")
    clients = [running.connect_to(worker) for worker in running.workers()]
    with held(folder):
        for client, path in zip(clients, [SERIES, JOB], strict=True):
            client.request("POST", path, headers=with_key("one"))
        wait_until(lambda: waiting_writers(folder) == 2, "both wait for their turn")
    answered = {}
    for client, path in zip(clients, [SERIES, JOB], strict=True):
        with client.getresponse() as response:
            answered[path] = response.status
        client.close()
    assert sorted(answered.values()) == [200, 422]
    for path, status in answered.items():
        assert running.take(path) == (2 if status == 200 else 1)


# Many clients


class Retriers:
    """Clients that take numbers, each with its own keys, repeating a key until it is answered."""

    def __init__(self, port: int, path: str, clients: int) -> None:
        self.answered: dict[str, int] = {}
        """The number of each key."""
        self.retried = 0
        """How many requests got no answer."""
        self.broken: list[str] = []
        """Other answers than a number or 503, and requests without an answer or an end."""
        self._port = port
        self._path = path
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number,)) for number in range(clients)
        ]

    def __enter__(self) -> "Retriers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int) -> None:
        """Wait until that many more keys are answered."""
        goal = len(self.answered) + count
        wait_until(lambda: len(self.answered) >= goal, f"{goal} keys are answered")

    def _client(self, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        for number in itertools.count():
            if self._over.is_set() or self.broken:
                break
            key = f"{client}-{number}"
            wait_until(partial(self._ask, connection, key), f"the key {key} is answered")
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, key: str) -> bool:
        """Ask once; return whether the client is done with this key."""
        try:
            answer = ask(connection, "POST", self._path, headers=with_key(key))
        except TimeoutError as error:
            self.broken.append(repr(error))
        except (ConnectionError, http.client.HTTPException):
            connection.close()
            self.retried += 1
            return False
        else:
            if answer.status == 503:
                return False
            if answer.status == 200:
                self.answered[key] = answer.value
            else:
                self.broken.append(repr(answer))
        return True


def assert_each_key_has_its_number(running: Service, path: str, answered: dict[str, int]) -> None:
    """Check that no number was given twice or skipped, and that each key is known."""
    assert sorted(answered.values()) == list(range(1, len(answered) + 1))
    connection = running.connect()
    for key, value in answered.items():
        retry = ask(connection, "POST", path, headers=with_key(key))
        assert (retry.status, retry.value) == (200, value)
    connection.close()
    assert running.take(path) == len(answered) + 1


def replaced(running: Service, victim: int) -> set[int]:
    """Return the workers once there are two again."""
    workers: set[int] = set()

    def are_two() -> bool:
        workers.clear()
        workers.update(running.workers() - {victim})
        return len(workers) == 2

    wait_until(are_two, "another worker is in its place")
    return workers


def test_no_retry_skips_a_number_while_workers_are_killed(serve: Serve) -> None:
    running = serve("--workers", "2")
    chance = random.Random(20_001)
    with Retriers(running.port, SERIES, clients=16) as retriers:
        older, newer = running.workers()
        for _ in range(12):
            # By then the newer one serves, so that the older one may go.
            retriers.wait_for_more(20 + chance.randrange(20))
            os.kill(older, signal.SIGKILL)
            both = replaced(running, older)
            older, newer = newer, (both - {newer}).pop()
    assert retriers.broken == []
    assert retriers.retried > 0
    assert_each_key_has_its_number(running, SERIES, retriers.answered)


def test_no_retry_skips_a_number_while_the_whole_service_is_killed(serve: Serve) -> None:
    running = serve("--workers", "2", "--port", str(new_port()))
    with Retriers(running.port, JOB, clients=16) as retriers:
        for _ in range(5):
            retriers.wait_for_more(100)
            running.kill()
            running = serve("--workers", "2", "--port", str(running.port))
    assert retriers.broken == []
    assert retriers.retried > 0
    assert_each_key_has_its_number(running, JOB, retriers.answered)
