"""What a Hugging Face Space needs: requirements that resolve with what it adds, an image that holds all the page needs, a
start as uid 1000 where only home and temporary folders can be written, and its variables."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pytest

import app

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "space.md").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, as (word, rest)."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in whole.splitlines() if line.strip()]


def copied() -> list[str]:
    """What the image holds of this repository."""
    copies = [
        [word for word in shlex.split(rest) if not word.startswith("--")] for at, rest in instructions() if at == "COPY"
    ]
    return [source for words in copies for source in words[:-1]]


# The Dockerfile


def once_ready(address: str) -> str:
    """What /think answers as soon as the model is there."""
    call, deadline = f"{address}/gradio_api/call/think", time.monotonic() + 60
    body = {"data": ["Hello", 4, 40, 0, 1, 0, "Be brief.", "So:"]}
    while time.monotonic() < deadline:
        event = httpx.post(call, json=body).json()["event_id"]
        answer = httpx.get(f"{call}/{event}", timeout=60).text
        if "the model is not ready" not in answer:
            return answer
        time.sleep(0.1)
    pytest.fail("the model did not become ready")


def test_nothing_runs_as_root_but_the_system_packages_and_the_making_of_the_user():
    words = [word for word, _ in instructions()]
    assert ("USER", "user") in instructions()
    assert len([rest for word, rest in instructions()[: words.index("USER")] if word == "RUN"]) == 2
    assert all(rest.startswith("--chown=user ") for word, rest in instructions() if word == "COPY")


def test_all_that_it_copies_is_there_and_is_kept_out_of_no_context():
    assert copied()
    ignored = (ROOT / ".dockerignore").read_text().split()
    for source in copied():
        assert (ROOT / source).exists()
        assert source.rstrip("/") not in ignored


def test_it_installs_what_make_does_from_what_was_copied(tmp_path):
    steps = next(rest for word, rest in instructions() if word == "RUN" and "pip install" in rest)
    before = instructions()[: instructions().index(("RUN", steps))]
    for source in shlex.split(next(rest for word, rest in before if word == "COPY"))[1:-1]:
        shutil.copy(ROOT / source, tmp_path)
    made = subprocess.run(
        ["make", "--dry-run", "--always-make", "VENV=.v", ".v/installed-cpu"], cwd=ROOT, capture_output=True, text=True
    )
    by_make = re.findall(r"pip install --no-compile (.*)", made.stdout)  # an image is compiled once
    assert len(by_make) == 2
    assert re.findall(r"pip install --no-cache-dir (.*?)(?: && |$)", re.sub(r"\s+", " ", steps)) == by_make
    named = set(re.findall(r"-r (\S+)", steps))
    assert named
    while named:  # each file with the files it names
        text = (tmp_path / named.pop()).read_text()
        named |= set(re.findall(r"^-r (\S+)", text, re.MULTILINE))


@pytest.mark.skipif(shutil.which("bwrap") is None and not os.environ.get("CI"), reason="bubblewrap is not installed")
def test_the_copied_files_answer_as_uid_1000_with_only_home_and_tmp_to_write_in(tmp_path):
    """Everything else is read-only, the program's own folder too; the port is open before the model is loaded."""
    program, home, temporary = (tmp_path / name for name in ("app", "home", "temporary"))
    home.mkdir()
    temporary.mkdir()
    for source in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, program / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            program.mkdir(exist_ok=True)
            shutil.copy(ROOT / source, program)
    box = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--die-with-parent", "--unshare-user"]
    box += ["--uid", "1000", "--gid", "1000", "--chdir", str(program)]
    for name, folder in (("HOME", home), ("TMPDIR", temporary)):
        box += ["--bind", str(folder), str(folder), "--setenv", name, str(folder)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [*box, sys.executable, "app.py", "--engine", "llama"],
        env={**os.environ, "SYSTEM": "spaces", "SPACE_ID": "someone/z1", "Z1_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        while f"The page is at {address}" not in "".join(said):
            said.append(process.stdout.readline())
            assert said[-1], "".join(said)
        page = urllib.request.urlopen(f"{address}/config", timeout=10).read().decode()
        assert '"space_id":"someone/z1"' in page
        assert '"end_reason": "' in once_ready(address)
    finally:
        process.terminate()
        process.wait(10)


# Its variables


def test_every_option_with_a_value_has_a_variable_and_the_command_line_wins(monkeypatch):
    given = {"Z1_MODEL": "org/model@v1", "Z1_MAX_MODEL_LEN": "4096", "Z1_PLACES": "8", "Z1_RESULTS": "/data"}
    for name, value in (given | {"Z1_SERVER_URL": ""}).items():
        monkeypatch.setenv(name, value)
    read = app.parser().parse_args(["--places", "9"])
    assert (read.model, read.max_model_len, read.places, read.results) == ("org/model@v1", 4096, 9, Path("/data"))
    assert (read.server_url, read.tensor_parallel_size, read.share) == (None, None, False)


def test_the_variables_of_the_guide_exist():
    known = {f"Z1_{action.dest.upper()}" for action in app.parser()._actions if action.nargs != 0}
    named = set(re.findall(r"`(Z1_\w+)`", GUIDE)) - {"Z1_", "Z1_API_KEY"}
    assert len(named) >= 8
    assert named <= known
