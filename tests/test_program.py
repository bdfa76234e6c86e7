"""How programs end: 0, or one sentence and a code."""

import subprocess
import sys
from pathlib import Path

import pytest

from z1_core.errors import ModelUnavailable
from z1_core.program import program

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (ModelUnavailable("there is no such model; name another"), 2, "error: there is no such model; name another\n"),
        (FileNotFoundError(2, "No such file", "a.jsonl"), 2, "error: there is no a.jsonl; check the name\n"),
        (ModuleNotFoundError(name="trl.trainer"), 2, "error: trl is not installed; pip install -r some.txt\n"),
        (BrokenPipeError(32, "Broken pipe"), 2, "error: Broken pipe\n"),
        (KeyboardInterrupt(), 130, "\nstopped; go on\n"),
    ],
)
def test_what_ends_a_program_is_one_sentence_and_a_code(raised, code, said, capsys):
    @program(stopped="stopped; go on", needs="some.txt")
    def main():
        raise raised

    assert main() == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_a_program_that_ends_by_itself_has_the_code_it_returns(returned, code):
    assert program()(lambda words: returned)([]) == code


@pytest.mark.parametrize("words", [["app.py"], ["-m", "z1_core", "Hello"]])
def test_outside_the_virtual_environment_a_program_says_what_to_do(words):
    done = subprocess.run([sys.executable, "-S", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: pydantic is not installed for this Python: `make demo`, or")
    assert "Traceback" not in done.stderr


PROGRAMS = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for folder in ("z1_core", "evaluation", "training", "bench")
    for file in (ROOT / folder).glob("*.py")
    if "\n@program" in file.read_text("utf-8")
]
WITHOUT = """
import runpy, sys

program, missing = sys.argv[1:]

class Missing:
    def find_spec(name, *_):
        if name.partition(".")[0] in missing.split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing)
sys.argv = [program, "--help"]
runpy.run_module(program, run_name="__main__")
"""
ELSEWHERE = (
    "datasets datasketch faker gguf math_verify matplotlib pebble peft pyarrow safetensors torch transformers trl "
    "vl_convert vllm"
)
"""What `make demo` does not bring."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_with_the_packages_of_the_page_alone_a_program_helps_or_names_the_missing_one(name):
    done = subprocess.run([sys.executable, "-c", WITHOUT, name, ELSEWHERE], cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("usage: ") or "is not installed; pip install -r" in done.stderr


def test_a_fault_of_ours_keeps_its_trace():
    @program()
    def main():
        raise KeyError("ours")

    with pytest.raises(KeyError):
        main()
