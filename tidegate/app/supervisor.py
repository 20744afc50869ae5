"""The parts of one Tidegate on one machine: child processes that are started in order, kept alive, stopped in reverse.

A part is ready with its first line on stdout (a JSON object); its log goes to a file. A part that ends is started again
after a pause, and the others stay. A part may be launched early: it imports what it needs and begins with a line on its
stdin. Every part of ours ends when its stdin closes, so that none outlives its supervisor.
"""

import asyncio
import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tidegate.app.settings import child_environment
from tidegate.domain.errors import Conflict, Unavailable
from tidegate.kit.clock import Clock, SystemClock

LOG_BYTES_MAX = 20_000_000
_UNAVAILABLE = 3  # the exit code of a part that could not start
_PAUSE_S_MIN, _PAUSE_S_MAX = 0.2, 10.0  # doubled after every failure
_STEADY_S = 30.0  # a part that ran so long begins its pauses anew
_PROBE_S = 0.02
_HOUSEKEEPING_S = 60.0
_LINE_BYTES_MAX = 1 << 20
_BEGIN = b"begin\n"

Ready = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One child process."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of ours
    probe: Callable[[], bool] | None = None  # of a foreign program, which prints no line when it is ready
    start_s: float = 30.0
    stop_s: float = 3.0  # from the request to end until SIGKILL


class PartFailed(Unavailable):
    """A part ended before it was ready; the sentence is its own."""

    code = "up.part_failed"

    def __init__(self, detail: str, exit_code: int) -> None:
        super().__init__(detail)
        self.exit_code = exit_code


class DataFolderLock:
    """One supervisor a data folder, until `release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise Conflict(
                f"Tidegate already runs on {folder} (process {holder}): stop it, or name another folder in"
                " TIDEGATE_DATA_DIR.",
                code="up.data_folder_busy",
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let another supervisor have the folder."""
        self._file.close()


class Child:
    """One part, through all its processes."""

    def __init__(self, part: Part, logs: Path) -> None:
        self.part = part
        self._log = logs / f"{part.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._draining: asyncio.Task[None] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def launch(self) -> None:
        """A new process, which waits for the word to begin."""
        self.trim_log()
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self.part.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=child_environment(**self.part.environment),
                start_new_session=True,  # Ctrl-C reaches only us, and we stop in order
                limit=_LINE_BYTES_MAX,
            )

    async def start(self) -> Ready:
        """Let the launched process begin, or a new one; `PartFailed` has its last words when it never is ready."""
        if self.pid is None:
            await self.launch()
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(_BEGIN)
        try:
            async with asyncio.timeout(self.part.start_s):
                ready = await self._wait_until_ready(self._process)
        except TimeoutError:
            await self.stop()
            late = f"{self.part.name} was not ready within {self.part.start_s:g} s: see {self._log}."
            raise PartFailed(late, _UNAVAILABLE) from None
        self._draining = asyncio.create_task(_drain(self._process))
        return ready

    async def ended(self) -> int:
        """Wait for the end of the process: its exit code."""
        assert self._process is not None, "the part was never started"
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and insist after `stop_s`."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(self.part.stop_s):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._draining is not None:
            await self._draining
            self._draining = None

    def trim_log(self) -> None:
        """Keep one older file; the process goes on appending to the same one."""
        with suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_BYTES_MAX:
                shutil.copyfile(self._log, self._log.with_suffix(".log.old"))
                os.truncate(self._log, 0)

    def last_words(self) -> str:
        """The last sentence on its stderr that was meant for people, since the last start."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        spoken = [line for line in lines if line.strip() and not line.startswith(("{", " ", "Traceback"))]
        return spoken[-1] if spoken else ""

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> Ready:
        assert process.stdout is not None
        if self.part.probe is None:
            line = await process.stdout.readline()
            if line:
                ready: dict[str, object] = msgspec.json.decode(line, type=dict)
                return ready
        else:
            while process.returncode is None:
                if self.part.probe():
                    return {}
                await asyncio.sleep(_PROBE_S)
        exit_code = await process.wait()
        sentence = self.last_words() or f"{self.part.name} ended with code {exit_code}: see {self._log}."
        raise PartFailed(sentence.removeprefix("Error: "), exit_code)


class Supervisor:
    """Starts parts one after the other, keeps them, and stops them in reverse; `started` and `stopped` record both."""

    def __init__(self, folder: Path, say: Callable[[str], None], clock: Clock | None = None) -> None:
        self._logs = folder / "logs"
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._say = say
        self._clock = clock or SystemClock()
        self._children: dict[str, Child] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self.started: list[str] = []
        self.stopped: list[str] = []

    async def launch(self, part: Part) -> None:
        """Let a part get ready to be started: it imports, and touches nothing."""
        child = self._children[part.name] = Child(part, self._logs)
        await child.launch()

    async def start(self, part: Part) -> Ready:
        """Start one more part, launched or not, and keep it from now on."""
        child = self._children.pop(part.name, None) or Child(part, self._logs)
        self._children[part.name] = child  # the last to be started is the first to be stopped
        ready = await child.start()
        self.started.append(part.name)
        self._keeping[part.name] = asyncio.create_task(self._keep(child))
        return ready

    async def restart(self, names: Sequence[str]) -> None:
        """New processes for these parts, one after the other: their code has changed."""
        for name in names:
            if name in self._keeping:
                await self._let_go([name])
                child = self._children[name]
                await child.stop()
                began = asyncio.Event()
                self._keeping[name] = asyncio.create_task(self._begin_anew(child, began))
                await began.wait()

    async def keep_house(self) -> None:
        """Keep logs short until cancelled."""
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            for child in self._children.values():
                child.trim_log()

    async def stop(self) -> None:
        """Stop every part, the last first."""
        await self._let_go(list(self._keeping))
        for name, child in reversed(self._children.items()):
            await child.stop()
            self.stopped.append(name)

    def pids(self) -> dict[str, int | None]:
        """Of the running processes."""
        return {name: child.pid for name, child in self._children.items()}

    async def _let_go(self, names: Sequence[str]) -> None:
        for name in names:
            self._keeping[name].cancel()
        await asyncio.gather(*(self._keeping[name] for name in names), return_exceptions=True)

    async def _keep(self, child: Child) -> None:
        pause_s = _PAUSE_S_MIN
        while True:
            started_s = self._clock.monotonic_s()
            reason = _end_of(await child.ended())
            await child.stop()
            if self._clock.monotonic_s() - started_s > _STEADY_S:
                pause_s = _PAUSE_S_MIN
            pause_s = await self._start_again(child, reason, pause_s)

    async def _begin_anew(self, child: Child, began: asyncio.Event) -> None:
        try:
            await child.start()
        except PartFailed as failure:
            began.set()
            await self._start_again(child, str(failure), _PAUSE_S_MIN)
        else:
            began.set()
            self._say(f"{child.part.name} runs the changed code.")
        await self._keep(child)

    async def _start_again(self, child: Child, reason: str, pause_s: float) -> float:
        """Start it until it is ready; the pause for the next time."""
        while True:
            self._say(f"{child.part.name} ended ({reason.rstrip('.')}); it starts again in {pause_s:.1f} s.")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)
            try:
                await child.start()
            except PartFailed as failure:
                reason = str(failure)
                continue
            self._say(f"{child.part.name} runs again.")
            return pause_s


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Nobody reads what a part prints after its first line, and a full pipe would stop it."""
    assert process.stdout is not None
    while await process.stdout.read(65_536):
        pass


def _end_of(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
