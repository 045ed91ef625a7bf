"""An editor's act that is killed in the middle: the file is the old one or the new one, whole, and nothing is lost."""

import os
import random
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
            assert f"fact:{file.stem}" in base.places
        parent.kill()
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
