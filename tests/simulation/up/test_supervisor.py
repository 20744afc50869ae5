"""The supervisor over small real processes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.waiting import eventually, wait_until
from tidegate.app import servers
from tidegate.app.supervisor import LOG_BYTES_MAX, DataFolderLock, Part, PartFailed, Supervisor
from tidegate.domain.errors import Conflict

READY = "import sys, signal; print('{\"port\": 7}', flush=True); "
UNTIL_TOLD = READY + "signal.pause()"


def part(name: str, program: str, **options: float) -> Part:
    return Part(name=name, command=(sys.executable, "-I", "-S", "-c", program), **options)  # type: ignore[arg-type]


def supervised(folder: Path, story: Callable[[Supervisor, list[str]], Awaitable[None]]) -> Supervisor:
    """Run a story and stop everything, whatever happens; what the supervisor said is the story's second argument."""
    said: list[str] = []

    async def run() -> Supervisor:
        supervisor = Supervisor(folder, said.append)
        try:
            await story(supervisor, said)
        finally:
            await supervisor.stop()
        return supervisor

    return asyncio.run(run())


def is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_parts_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    pids: list[int | None] = []

    async def story(supervisor: Supervisor, _: list[str]) -> None:
        for name in ("first", "second", "third"):
            assert await supervisor.start(part(name, UNTIL_TOLD)) == {"port": 7}
        pids.extend(supervisor.pids().values())

    supervisor = supervised(tmp_path, story)
    assert supervisor.started == ["first", "second", "third"]
    assert supervisor.stopped == ["third", "second", "first"]
    assert not any(map(is_alive, pids))


def test_a_part_that_dies_starts_again_and_the_others_stay(tmp_path: Path) -> None:
    async def story(supervisor: Supervisor, said: list[str]) -> None:
        await supervisor.start(part("steady", UNTIL_TOLD))
        await supervisor.start(part("frail", UNTIL_TOLD))
        before = supervisor.pids()
        assert before["frail"] is not None
        os.kill(before["frail"], signal.SIGKILL)
        await eventually(lambda: "frail runs again." in said, what="the part runs again")
        assert supervisor.pids()["steady"] == before["steady"]
        assert supervisor.pids()["frail"] not in (None, before["frail"])
        assert said[0] == "frail ended (SIGKILL); it starts again in 0.2 s."

    supervised(tmp_path, story)


def test_the_pause_grows_while_a_part_keeps_dying(tmp_path: Path) -> None:
    async def story(supervisor: Supervisor, said: list[str]) -> None:
        await supervisor.start(part("frail", READY + "sys.exit(4)"))
        await eventually(lambda: len([line for line in said if "ended" in line]) >= 3, what="three ends")
        assert [line for line in said if "ended" in line][:3] == [
            f"frail ended (exit code 4); it starts again in {pause} s." for pause in ("0.2", "0.4", "0.8")
        ]

    supervised(tmp_path, story)


def test_a_part_that_cannot_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    async def story(supervisor: Supervisor, _: list[str]) -> None:
        words = "import sys; sys.stderr.write('{\"event\": 1}\\nError: Port 1 is busy.\\n'); sys.exit(2)"
        with pytest.raises(PartFailed, match=r"^Port 1 is busy\.$") as failure:
            await supervisor.start(part("hopeless", words))
        assert failure.value.exit_code == 2

    supervised(tmp_path, story)


def test_a_part_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    async def story(supervisor: Supervisor, _: list[str]) -> None:
        with pytest.raises(PartFailed, match=r"was not ready within 0\.3 s"):
            await supervisor.start(part("silent", "import signal; signal.pause()", start_s=0.3))
        assert supervisor.pids() == {"silent": None}

    supervised(tmp_path, story)


def test_a_part_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    pids: list[int | None] = []

    async def story(supervisor: Supervisor, _: list[str]) -> None:
        deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "\nwhile True: signal.pause()"
        await supervisor.start(part("deaf", deaf, stop_s=0.2))
        pids.extend(supervisor.pids().values())

    supervised(tmp_path, story)
    assert not is_alive(pids[0])


def test_changed_code_gets_new_processes_and_no_word_of_a_death(tmp_path: Path) -> None:
    async def story(supervisor: Supervisor, said: list[str]) -> None:
        await supervisor.start(part("kept", UNTIL_TOLD))
        await supervisor.start(part("edited", UNTIL_TOLD))
        before = supervisor.pids()
        await supervisor.restart(["edited", "unheard of"])
        await eventually(lambda: said == ["edited runs the changed code."], what="the restart is told")
        assert supervisor.pids()["kept"] == before["kept"]
        assert supervisor.pids()["edited"] != before["edited"]

    supervised(tmp_path, story)


def test_a_long_log_is_put_aside_when_its_part_starts(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "wordy.log"
    log.write_bytes(b"x" * (LOG_BYTES_MAX + 1))

    async def story(supervisor: Supervisor, _: list[str]) -> None:
        await supervisor.start(part("wordy", UNTIL_TOLD))

    supervised(tmp_path, story)
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.old").stat().st_size == LOG_BYTES_MAX + 1


def test_a_data_folder_has_one_supervisor(tmp_path: Path) -> None:
    lock = DataFolderLock(tmp_path)
    with pytest.raises(Conflict, match=rf"already runs on {tmp_path} \(process {os.getpid()}\)"):
        DataFolderLock(tmp_path)
    lock.release()
    DataFolderLock(tmp_path).release()


def test_a_part_ends_when_its_supervisor_is_killed() -> None:
    program = (
        "from tidegate.app.cli.parent import obey_parent; import signal; obey_parent();"
        " print('ready', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as orphan:
        assert orphan.stdin and orphan.stdout
        assert orphan.stdout.readline() == b"ready\n"
        orphan.stdin.close()
        assert orphan.wait(10) == -signal.SIGTERM


def test_an_orphan_that_does_not_heed_the_request_to_end_is_killed() -> None:
    program = (
        "from tidegate.app.cli import parent; import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        " parent._STOP_S = 0.1; parent.obey_parent(); print('ready', flush=True)\nwhile True: signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as orphan:
        assert orphan.stdin and orphan.stdout
        assert orphan.stdout.readline() == b"ready\n"
        orphan.stdin.close()
        assert orphan.wait(10) == -signal.SIGKILL


def test_valkey_answers_on_its_socket_until_it_is_shut_down(tmp_path: Path) -> None:
    place = tmp_path / "valkey.sock"
    assert not servers.answers(place)
    with subprocess.Popen(servers.valkey_command(place), stdout=subprocess.DEVNULL) as server:
        wait_until(lambda: servers.answers(place), what="Valkey answers")
        assert place.stat().st_mode & 0o077 == 0
        servers.shut_down(place)
        assert server.wait(10) == 0
    servers.shut_down(place)
