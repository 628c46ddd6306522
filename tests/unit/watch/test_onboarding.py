"""The watcher's thread for jobs, against a small centre on loopback: one at a time, bounded, ended."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.handing import Quiet, Running
from tests.support.running import until

from tocsin.clocks import SystemClock
from tocsin.core.errors import SourceAuthError
from tocsin.watch.adding import CameraFile
from tocsin.watch.onboarding import MOST_WAITING, Onboarding
from tocsin.watch.sender import CentreClient
from tocsin.wire_onboarding import Found, Measure, Measured, MeasuredStream, Search

FIGURES: dict[str, object] = {
    "codec": "h264", "profile": "Main", "width_px": 1920, "height_px": 1080, "watched_s": 20.0,
    "frames_per_s": 25.0, "kbit_per_s": 4000.0, "key_gap_median_s": 1.0, "key_gap_max_s": 1.1,
    "keys_whole": True, "b_frames": False, "stamp_faults": [], "key_cpu_ms": 5.0, "frame_cpu_ms": 3.0,
}  # fmt: skip
MEASURED = Measured(
    source="rtsp://192.0.2.1/a",
    streams=(MeasuredStream.model_validate({"name": "main", "figures": FIGURES}),),
)


def _id(number: int) -> str:
    return f"{number:032x}"


class Board:
    """Hands out the jobs that it has, and keeps what came of them."""

    def __init__(self) -> None:
        self.jobs: dict[str, str] = {}
        self.asked: list[str] = []
        self.results: dict[str, dict[str, object]] = {}
        self.broken = 0
        """So many posts are answered 503."""
        board = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                job = self.path.rsplit("/", 1)[1]
                board.asked.append(job)
                told = board.jobs.get(job)
                self.answer(404 if told is None else 200, (told or "{}").encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if board.broken:
                    board.broken -= 1
                    self.answer(503, b"{}")
                    return
                board.results[self.path.rsplit("/", 2)[1]] = json.loads(body)
                self.answer(200, b'{"taken": true}')

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._running = Running(Handler, "board")
        self.url = f"http://127.0.0.1:{self._running.port}"

    def __enter__(self) -> Board:
        self._running.start()
        return self

    def __exit__(self, *_about: object) -> None:
        self._running.end()


@pytest.fixture
def board() -> Iterator[Board]:
    with Board() as running:
        yield running


def _nothing(_asked: Search) -> Found:
    return Found()


def _measured(_asked: Measure, _stopped: Callable[[], bool]) -> Measured:
    return MEASURED


def _onboarding(
    board: Board,
    folder: Path,
    *,
    find: Callable[[Search], Found] = _nothing,
    survey: Callable[[Measure, Callable[[], bool]], Measured] = _measured,
) -> Onboarding:
    client = CentreClient(board.url, SecretStr("token"))
    return Onboarding(client, find, survey, CameraFile(None, folder / "credentials"), SystemClock())


def _threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "onboarding"]


def test_each_job_is_done_once_and_the_thread_ends_with_the_last(board: Board, tmp_path: Path) -> None:
    onboarding = _onboarding(board, tmp_path)
    board.jobs = {_id(n): '{"kind": "search"}' for n in range(3)}
    for _ in range(3):  # a heartbeat names them again until they are fetched
        onboarding.take([*board.jobs, 7, None, "../../alarms", "x" * 32])
    until(lambda: len(board.results) == 3, "all are answered")
    until(lambda: not _threads(), "the thread has ended")
    onboarding.take(list(board.jobs))
    assert board.asked == list(board.jobs)
    assert all(result["kind"] == "found" for result in board.results.values())
    onboarding.stop()


def test_taking_up_returns_at_once_and_the_queue_is_bounded(board: Board, tmp_path: Path) -> None:
    go = threading.Event()

    def slow(_asked: Search) -> Found:
        go.wait(20)
        return Found()

    onboarding = _onboarding(board, tmp_path, find=slow)
    board.jobs = {_id(n): '{"kind": "search"}' for n in range(100)}
    begun = time.monotonic()
    for first in range(100):
        onboarding.take(list(board.jobs)[first:])
    assert time.monotonic() - begun < 1.0
    assert len(_threads()) == 1
    until(lambda: board.asked == [_id(0)], "one at a time: the others are not fetched yet")
    go.set()
    until(lambda: not _threads(), "the thread has ended")
    assert len(board.results) <= MOST_WAITING + 2
    onboarding.stop()


def test_stop_ends_a_long_measurement(board: Board, tmp_path: Path) -> None:
    begun = threading.Event()

    def endless(_asked: Measure, stopped: Callable[[], bool]) -> Measured:
        begun.set()
        until(stopped, "it is told to end")
        return MEASURED

    onboarding = _onboarding(board, tmp_path, survey=endless)
    board.jobs = {_id(1): '{"kind": "measure", "address": "192.0.2.1"}'}
    onboarding.take([_id(1)])
    assert begun.wait(10)
    onboarding.stop()
    assert not _threads()
    assert board.results == {}, "half of a measurement is none"
    onboarding.take([_id(2)])
    assert not _threads(), "nothing begins after it"


def test_errors_are_told_typed_and_a_bug_without_its_words(board: Board, tmp_path: Path) -> None:
    def refused(_asked: Measure, _stopped: Callable[[], bool]) -> Measured:
        raise SourceAuthError("the camera refuses our password", where="camera", hint="set it")

    def stumbles(_asked: Search) -> Found:
        raise ZeroDivisionError("hunter2")

    onboarding = _onboarding(board, tmp_path, find=stumbles, survey=refused)
    jobs = ['{"kind": "search"}', '{"kind": "measure", "address": "a", "password": "hunter2"}']
    jobs += ['{"kind": "format-the-disk"}', "no JSON", '{"kind": "measure", "password": "hunter2"}']
    jobs += [json.dumps({"kind": "add", "measured": _id(9), "camera": {"id": "x"}})]
    jobs += [json.dumps({"kind": "add", "measured": _id(9), "camera": {"id": "x", "source": "rtsp://evil/"}})]
    board.jobs = {_id(n): job for n, job in enumerate(jobs)}
    onboarding.take(list(board.jobs))
    until(lambda: len(board.results) == len(jobs), "all are answered")
    codes = [board.results[_id(n)]["code"] for n in range(len(jobs))]
    assert codes == ["bug", "source-auth", *["invalid-input"] * 3, "not-found", "invalid-input"]
    assert board.results[_id(1)]["hint"] == "set it"
    assert "hunter2" not in json.dumps(board.results)
    onboarding.stop()


def test_a_result_is_sent_again_when_the_centre_stumbles(board: Board, tmp_path: Path) -> None:
    onboarding = _onboarding(board, tmp_path)
    board.broken = 2
    board.jobs = {_id(1): '{"kind": "search"}'}
    onboarding.take([_id(1)])
    until(lambda: _id(1) in board.results, "it arrives in the end")
    onboarding.stop()
