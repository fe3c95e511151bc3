"""Files are short, say what they are, have telling names, and hold nothing that does not belong."""

import ast
import re
from pathlib import PurePosixPath

import pytest

from tests.architecture.sources import LAYERS, ROOT, Sources, python_of, tracked

HARD_STOP = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "core", "misc"}
CLOCK = {"domain/db/clock.py", "domain/db/sql.py"}
"""The reader of the clock, and the statements' `{now}`."""
READS_CLOCK = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
READS_CLOCK |= {("time", name) for name in ("time", "time_ns", "localtime", "gmtime")}
SQL_CLOCK = re.compile(r"clock_timestamp|current_timestamp|\bnow\(\)|strftime\('%s'|datetime\('now'", re.I)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE = re.compile(
    "|".join(
        [
            r"(?<![\w.-])/(?:root|work|Users)/[\w.]",
            r"(?<![\w.-])/home/[\w.]",
            r"(?<![\w.])[A-Z]:\\Users",
            r"\bpypi\.(?:org|python)",
            r"pythonhosted\.(?:org)",
            r"registry\.(?:npmjs|yarnpkg)",
            r"\bproxy\.golang",
            r"static\.crates",
        ]
    )
)
"""Paths of one machine, and hosts of package registries: which one to use is each machine's own setting."""
THIS_FILE = "tests/architecture/test_files.py"


def too_long(sources: Sources) -> list[str]:
    return [
        f"{path}: {lines} lines"
        for path, text in sources.items()
        if (lines := len(text.splitlines())) > HARD_STOP and not path.startswith("domain/migrations/")
    ]


def without_docstring(sources: Sources) -> list[str]:
    return [path for path, text in sources.items() if not (ast.get_docstring(ast.parse(text)) or "").strip()]


def vague(paths: list[str]) -> list[str]:
    """Files and folders whose name says nothing of what is in them."""
    return [
        path
        for path in paths
        if {part.partition(".")[0].strip("_") for part in PurePosixPath(path).parts} & VAGUE
    ]


def reads_clock(sources: Sources) -> list[str]:
    """Calls that read the clock, and statements that ask the database for its own."""
    found = []
    for path, text in sources.items():
        if path in CLOCK:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute):
                owner = node.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if (name, node.attr) in READS_CLOCK:
                    found.append(f"{path}:{node.lineno}: {name}.{node.attr}")
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                found += [
                    f"{path}:{node.lineno}: time.{alias.name}"
                    for alias in node.names
                    if ("time", alias.name) in READS_CLOCK
                ]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [f"{path}:{node.lineno}: {hit[0]}" for hit in SQL_CLOCK.finditer(node.value)]
    return found


def lines_with(pattern: re.Pattern[str], texts: Sources) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:80]}"
        for path, text in texts.items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


MADE_ELSEWHERE = "api/explorer/built/"
"""Other people's code, made into one file: what its authors left undone is not ours to finish."""


def _texts() -> Sources:
    found = {}
    for name in tracked():
        try:
            found[name] = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def test_no_file_is_longer_than_the_hard_stop() -> None:
    assert too_long(python_of(*LAYERS)) == []


def test_every_module_opens_with_a_sentence() -> None:
    sources = python_of(*LAYERS)
    assert len(sources) > 100
    assert without_docstring(sources) == []


def test_no_name_says_nothing() -> None:
    assert vague(tracked()) == []


def test_one_module_reads_the_clock() -> None:
    assert reads_clock(python_of(*LAYERS)) == []


def test_nothing_is_left_unfinished() -> None:
    texts = {path: text for path, text in _texts().items() if path != THIS_FILE}
    texts = {path: text for path, text in texts.items() if not path.startswith(MADE_ELSEWHERE)}
    assert lines_with(UNFINISHED, texts) == []


def test_nothing_names_a_registry_or_a_path_of_one_machine() -> None:
    texts = _texts()
    assert len(texts) > 150
    assert lines_with(MACHINE, texts) == []


def test_a_file_that_is_too_long_is_noticed() -> None:
    assert too_long({"domain/a.py": "x = 1\n" * 401}) == ["domain/a.py: 401 lines"]
    assert too_long({"domain/a.py": "x = 1\n" * 400, "domain/migrations/0001.py": "x\n" * 900}) == []


@pytest.mark.parametrize("text", ["", "import ast\n", '"""   """\n', "# Only a comment.\n"])
def test_a_module_without_its_sentence_is_noticed(text: str) -> None:
    assert without_docstring({"domain/a.py": text}) == ["domain/a.py"]


@pytest.mark.parametrize(
    "path", ["domain/utils.py", "api/common/x.py", "jobs/_base.py", "tests/helpers.py", "web/core.test.ts"]
)
def test_a_vague_name_is_noticed(path: str) -> None:
    assert vague([path]) == [path]
    assert vague(["domain/baseline.py", "domain/records.py"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import datetime\nx = datetime.now()",
        "import datetime as d\nx = d.datetime.utcnow",
        "from datetime import date\nread = date.today",
        "import time\nx = time.time()",
        "from time import time",
        'SQL = "SELECT clock_timestamp()"',
        'SQL = f"UPDATE x SET at = now() WHERE {id}"',
        'SQL = "DEFAULT CURRENT_TIMESTAMP"',
    ],
)
def test_a_second_reader_of_the_clock_is_noticed(text: str) -> None:
    assert len(reads_clock({"domain/tasks/actions.py": text})) == 1
    assert reads_clock({"domain/db/clock.py": text}) == []


@pytest.mark.parametrize(
    "text",
    ["import time\ntime.monotonic()", "timekeeping.now(1)", "timekeeping.machine_now()", 'SQL = "{now}"'],
)
def test_other_ways_to_time_are_not(text: str) -> None:
    assert reads_clock({"domain/tasks/actions.py": text}) == []


@pytest.mark.parametrize("line", ["# TODO: later", "x = 1  # FIXME", "-- XXX"])
def test_unfinished_work_is_noticed(line: str) -> None:
    assert len(lines_with(UNFINISHED, {"a": f"fine\n{line}\n"})) == 1


@pytest.mark.parametrize(
    "line",
    [
        "see /work" + "/main/x",
        "path = '/home" + "/me/x'",
        "/root" + "/.venv",
        "https://pypi" + ".org/simple",
        "https://registry" + ".npmjs.org/graphql-ws",
        "files.python" + "hosted.org",
    ],
)
def test_a_path_or_a_host_of_one_machine_is_noticed(line: str) -> None:
    assert len(lines_with(MACHINE, {"a": f"fine\n{line}\n"})) == 1
    assert lines_with(MACHINE, {"a": "api/work/main.py and the-home/page and https://example.org/root"}) == []
