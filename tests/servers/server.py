"""What PostgreSQL and Valkey share: a folder, a port, a log, and starts, stops and sudden deaths."""

import atexit
import os
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.servers.process import Popen, ServerError, free_port, kill_tree, spawn, wait_until


class Server(ABC):
    """One private server on a loopback port; its data live until `close()`, at the latest at exit."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    death_signal: ClassVar[signal.Signals] = signal.SIGKILL
    uid: int | None = None

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"careline-{self.name}-"))
        self.log = self.folder / "server.log"
        self._process: Popen | None = None
        self._has_run = False
        atexit.register(self.close)

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Return the command line that serves `self.folder` on `self.port`."""

    @abstractmethod
    def _answers(self) -> bool:
        """Say whether the server takes requests now."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the folder ready before the very first start."""

    @property
    def running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ServerError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start on the present data and return once it answers; does nothing when it already runs."""
        if self.running:
            return self
        if not self._has_run:
            self._prepare()
        for attempts_left in reversed(range(5)):
            try:
                self._launch()
                break
            except ServerError as error:
                # Before the first success nobody knows the port yet, so another may still be chosen.
                if self._has_run or not attempts_left or "in use" not in str(error):
                    raise
                self.port = free_port()
        self._has_run = True
        return self

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            begin = log.tell()
            self._process = process = spawn(
                self._command(),
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
                uid=self.uid,
                death_signal=self.death_signal,
            )
        try:
            wait_until(lambda: process.poll() is not None or self._answers(), f"{self.name} answers", 30)
        except ServerError as error:
            self.kill9()
            raise ServerError(f"{error}\n{self.log_tail(begin)}") from None
        if process.poll() is not None:
            self._process = None
            raise ServerError(
                f"{self.name} (port {self.port}) ended at once with code {process.returncode}\n"
                f"{self.log_tail(begin)}"
            )

    def stop(self) -> None:
        """Stop in good order and keep the data for the next `start()`."""
        self._end(self.stop_signal)

    def kill9(self) -> None:
        """Kill the server and its children without warning, as a power cut would."""
        if self._process is not None:
            process, self._process = self._process, None
            kill_tree(process)

    def restart(self) -> Self:
        """Stop in good order if it runs, then start again on the same port and data."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """End the server for good and remove its data."""
        atexit.unregister(self.close)
        try:
            self._end(self.death_signal)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.poll() is not None:
            return
        process.send_signal(how)
        try:
            wait_until(lambda: process.poll() is not None, f"{self.name} obeys {how.name}")
        except ServerError as error:
            kill_tree(process)
            raise ServerError(f"{error}\n{self.log_tail()}") from None

    def log_tail(self, begin: int = 0, lines: int = 25) -> str:
        """Return the last lines of the server's log, for error messages."""
        text = self.log.read_bytes()[begin:].decode("utf-8", "replace") if self.log.exists() else ""
        return f"--- end of {self.name}'s log ---\n" + "\n".join(text.splitlines()[-lines:] or ["(empty)"])

    @staticmethod
    def environment() -> dict[str, str]:
        """Return the environment for server programs: nothing of the machine's locale or time zone."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
