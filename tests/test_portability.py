"""The way without a GPU runs where this machine's system is not: no /proc and no sched_getaffinity, as on macOS; none of
the modules that only a POSIX system has, as on Windows. Each in a process of its own; neither system was at hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.stub_server import StubServer

ROOT = Path(__file__).parents[1]

LIKE_MACOS = """
import builtins, io, os
import psutil

total = psutil.virtual_memory()
psutil.virtual_memory = lambda: total  # asks macOS itself there, and reads /proc here
psutil.cpu_count = lambda logical=True: 2
del os.sched_getaffinity

def without_proc(function):
    def called(path, *args, **options):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(("/proc", "/sys")):
            asked.append(os.fspath(path))
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        return function(path, *args, **options)
    return called

asked = []
builtins.open = io.open = without_proc(io.open)
for name in ("open", "stat", "lstat", "listdir", "scandir", "readlink"):
    setattr(os, name, without_proc(getattr(os, name)))
"""

THEIRS = "import altair, gradio, httpx, huggingface_hub, psutil, tokenizers"  # know about Windows themselves
LIKE_WINDOWS = """
import builtins, os, signal

POSIX = set("crypt curses fcntl grp posix pty pwd readline resource spwd syslog termios tty".split())

allowed = builtins.__import__

def refusing(name, globals=None, *rest):
    if name.partition(".")[0] in POSIX and str((globals or {}).get("__file__")).startswith(os.getcwd()):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return allowed(name, globals, *rest)

builtins.__import__ = refusing
for name in ("fork", "forkpty", "killpg", "setsid", "getuid", "geteuid", "getpgid", "sched_getaffinity", "O_ASYNC"):
    delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGALRM"):
    delattr(signal, name)
"""

IMPORT_ALL = """
import app, ui.page, z1_core.__main__
import z1_core.engines.fake, z1_core.engines.llama, z1_core.engines.llama_child, z1_core.engines.server
"""

UP_TO_THE_CHILD = """
from z1_core.engines import llama, llama_process
from z1_core.models import locate

class Reached(Exception):
    pass

def child(model, *, cells, places, adapter=None):
    assert cells >= 2048
    assert places == llama.PLACES
    threads = llama_process.threads()
    assert threads is None or threads >= 1
    raise Reached

llama.LlamaProcess = child
try:
    llama.LlamaEngine.start(locate(None, engine="llama").path)
except Reached:
    print("up to the child")
"""

PAGE = """
import httpx
from ui.page import build_page, launch
from z1_core.engines.fake import FakeEngine
from z1_core.host import EngineHost

host = EngineHost(lambda report: FakeEngine())
page = build_page(host, may_choose=True)
address = launch(page)
host.start()
assert "Shifted thinking" in httpx.get(address).text
while host.status().state == "starting":
    pass
print(host.status().text)
page.close()
host.close()
"""


def run(*pieces: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "".join(pieces)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_and_llama_up_to_its_process_need_no_proc_and_no_affinity():
    said = run(LIKE_MACOS, IMPORT_ALL, UP_TO_THE_CHILD, PAGE)
    assert "up to the child" in said
    assert "scripted engine is ready" in said


def test_nothing_on_the_way_imports_what_only_posix_has():
    said = run(THEIRS, LIKE_WINDOWS, IMPORT_ALL, UP_TO_THE_CHILD)
    assert "up to the child" in said


def test_an_import_of_ours_of_such_a_module_would_be_noticed(tmp_path):
    (tmp_path / "ours.py").write_text("import fcntl\n")
    pieces = [LIKE_WINDOWS, f"os.chdir({str(tmp_path)!r}); import sys; sys.path.insert(0, os.getcwd()); import ours"]
    done = subprocess.run([sys.executable, "-c", "".join(pieces)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "No module named 'fcntl'" in done.stderr


def test_importing_the_library_loads_neither_an_engine_nor_the_page():
    library = (
        "import sys, z1_core, z1_core.llm, z1_core.engines.vllm, z1_core.engines.llama, z1_core.models, z1_core.host\n"
        "import z1_core.__main__\n"
        "print({'vllm', 'torch', 'transformers', 'xllamacpp', 'gradio', 'ui', 'training', 'evaluation'} & {*sys.modules})\n"
    )
    assert run(library) == "set()\n"


def test_the_page_and_a_client_of_a_server_need_no_engine():
    with StubServer() as server:
        client = (
            "import sys; sys.modules.update(vllm=None, torch=None, transformers=None, xllamacpp=None)\n"
            "import app, ui.page\n"
            "from z1_core.engines import start_engine\n"
            f"options = app.parser().parse_args(['--server-url', {server.url!r}])\n"
            "print(start_engine(options, lambda stage: None).name)\n"
        )
        assert run(client) == "model-1b\n"


def test_make_is_asked_for_nothing_that_one_make_alone_knows():
    """macOS has GNU's of 2006, BSD its own; the recipes are run by any shell."""
    text = (ROOT / "Makefile").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    own = r"\$\(\w+ |^\s*(ifeq|ifneq|ifdef|define|export|include|-include)\b|:=|\+=|^[^\t#]*:.*\|"
    assert [line for line in lines if re.search(own, line)] == []
    scripts = text + (ROOT / "tests" / "need.sh").read_text()
    assert not re.search(r"sed -i|readlink -f|find .*-printf|grep -P|cp --|touch --|date -d|xargs -r|\[\[", scripts)
