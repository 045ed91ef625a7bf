"""An editor's act that is killed in the middle: the file is the old one or the new one, whole, and nothing is lost."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knowledge.store import load
from tests import fakes
from tests.conftest import ROOT

TIMES = 50
# Acts on the LSD fact without end, as fast as it can: each round starts from the same file, and says so on the way.
ACTS = """
import sys
from datetime import date
from pathlib import Path
from knowledge.editing import retract, sign_entry
from knowledge.store import load, write_atomically

home, file, today = Path(sys.argv[2]), Path(sys.argv[3]), date(2026, 11, 21)
draft, key = file.read_text(), "fact:" + file.stem
base, _ = load(home)
print("ready", flush=True)
while True:
    if sys.argv[1] == "sign":
        sign_entry(base, key, "source-check", "source-checked", today)
    else:
        retract(base, key, "editor", "wrong", today)
    write_atomically(file, draft)
"""


@pytest.mark.parametrize("act", ["sign", "retract"])
def test_killed_at_any_moment_nothing_is_half_written(home: Path, act: str) -> None:
    """Fifty kills with SIGKILL: every file loads, the entry is the draft or the outcome, and the next act succeeds."""
    file = fakes.write_fact(home, fakes.LSD | {"answer": "It is a drug. It acts on serotonin in the brain."})
    draft = file.read_text()
    others = {other: other.read_bytes() for other in home.rglob("*.yaml") if other != file}
    seen = set()
    # One process is forked for each round, so that fifty rounds do not cost fifty starts of Python.
    code = ACTS.replace('print("ready", flush=True)', _FORK)
    with subprocess.Popen(
        [sys.executable, "-c", code, act, str(home), str(file)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as parent:
        assert parent.stdout
        chance = random.Random(7)
        for _ in range(TIMES):
            child = int(parent.stdout.readline())
            time.sleep(chance.uniform(0.0, 0.1))
            os.kill(child, signal.SIGKILL)
            parent.stdout.readline()  # the parent has buried it
            base, problems = load(home)
            assert problems == ()
            text = file.read_text()
            assert text.startswith(draft)
            seen.add(text == draft)
            assert f"fact:{file.stem}" in base.places
        parent.kill()
    assert seen == {True, False}  # some were killed before the act and some after
    assert {other: other.read_bytes() for other in home.rglob("*.yaml") if other != file} == others


_FORK = """
import os
for _ in range(TIMES):
    write_atomically(file, draft)
    child = os.fork()
    if child == 0:
        break
    print(child, flush=True)
    os.waitpid(child, 0)
    print("buried", flush=True)
else:
    sys.exit(0)
""".replace("TIMES", str(TIMES))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory file system")
def test_a_disk_that_is_really_full(home: Path, tmp_path: Path) -> None:
    """On a tiny file system without room: an error that says so, the old file, and no draft left behind."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    try:
        file = disk / "fact.yaml"
        shutil.copy(fakes.fact_file(home), file)
        (disk / "filler").write_bytes(b"x" * (64 * 1024 - 3 * 4096))
        code = (
            "import sys, pathlib; from knowledge.store import write_atomically; "
            "write_atomically(pathlib.Path(sys.argv[1]), 'x' * 60_000)"
        )
        done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode != 0
        assert "No space left on device" in done.stderr
        assert file.read_bytes() == fakes.fact_file(home).read_bytes()
        assert sorted(path.name for path in disk.iterdir()) == ["fact.yaml", "filler"]
    finally:
        subprocess.run(["umount", disk], check=True)
