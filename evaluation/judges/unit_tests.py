"""Verdicts of unittest classes (BigCodeBench): see inside/units.py for what keeps them honest, and what does not."""

from __future__ import annotations

import ast
import builtins
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evaluation.judges.attempts import ask, judged, right, wrong
from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import Limits, Sandbox
from evaluation.sandbox.interpreter import missing_libraries

UNITTEST_LIMITS = Limits(memory_bytes=4 << 30, cpu_s=600, processes=128, open_files=512, folder_bytes=256 << 20)
"""BigCodeBench's own are 30 GiB of address space and no other: its libraries map much more than they touch."""

NOT_FOUND = re.compile(r"(?:No module named|Missing optional dependency) '(\w+)")
LIBRARIES = (
    "bs4 blake3 chardet cryptography django dns docxtpl faker flask flask_login flask_mail flask_restful flask_wtf "
    "folium gensim geopandas geopy holidays keras Levenshtein librosa lxml matplotlib mechanize natsort networkx nltk "
    "numba numpy cv2 openpyxl pandas PIL prettytable psutil Crypto pyfakefs pyquery pytesseract pytest "
    "python_http_client dateutil docx pytz yaml requests requests_mock rsa skimage sklearn scipy seaborn selenium "
    "sendgrid shapely soundfile statsmodels sympy tensorflow textblob texttable werkzeug wikipedia wordcloud "
    "wordninja wtforms xlrd xlwt xmltodict "
)
"""What BigCodeBench installs, by import name: code may lean on any of it, also through another (pandas on openpyxl)."""


def judge_unittest(
    code: str,
    test_source: str,
    *,
    entry_point: str,
    sandbox: Sandbox,
    python: str | None,
    time_limit_s: float,
    libs: Sequence[str] = (),
) -> Verdict:
    """All tests of class TestCases under one driver; time_limit_s is for all. libs: what the task needs installed."""
    needed = tuple(sorted({lib.partition(".")[0] for lib in (*libs, *_imports(test_source))}))
    if missing := missing_libraries(python or sys.executable, needed):
        return Verdict(status="not_judged", extracted=code, detail=f"libraries missing: {', '.join(missing)}")
    names = _test_names(test_source)
    if not names:
        return Verdict(
            status="harness_error", extracted=code, detail="the test source has no test in a class TestCases"
        )
    setup = {"code": code, "test": test_source, "entry_point": entry_point, "names": names}
    setup["builtins"] = sorted(_loaded_names(test_source) & set(dir(builtins)) - {"__name__"})

    def attempt() -> Verdict:
        token = secrets.token_hex(16)
        with sandbox.start("units", python=python, limits=UNITTEST_LIMITS) as session:
            answer = ask(session, setup | {"token": token}, time_limit_s, "the tests")
            return answer if isinstance(answer, Verdict) else _unit_verdict(answer, token, names, code)

    return _unless_missing(judged(attempt, code, sandbox, count=len(names)), python or sys.executable)


def _unless_missing(verdict: Verdict, python: str) -> Verdict:
    """Code that failed for want of a library which the benchmark has, and this interpreter has not, is not judged."""
    found = NOT_FOUND.search(verdict.detail) if verdict.status == "wrong" else None
    if found and found[1] in LIBRARIES.split() and missing_libraries(python, (found[1],)):
        return replace(verdict, status="not_judged", detail=f"libraries missing: {found[1]}")
    return verdict


def _unit_verdict(answer: Any, token: str, names: Sequence[str], code: str) -> Verdict:
    """Right only if the token is the run's own and every test that the source names passed."""
    if not isinstance(answer, dict) or answer.get("token") != token:
        what = answer.get("tampering") if isinstance(answer, dict) else None
        return wrong(
            f"the code reached for what only a forger needs: {what}" if what else "the verdict is not the driver's"
        )
    outcomes = [tuple(bytes.fromhex(part).decode() for part in row) for row in answer["outcomes"]]
    if answer["void"] is not None:
        return wrong(bytes.fromhex(answer["void"]).decode())
    bad = next(((name, status, text) for name, status, text in outcomes if status != "passed"), None)
    if bad:
        return wrong(f"{bad[0]} {bad[1]}: {bad[2]}")
    if [name for name, _, _ in outcomes] != list(names):
        return wrong(f"{len(outcomes)} of {len(names)} tests ran")
    return right(code, len(names))


def _test_names(test_source: str) -> list[str]:
    """The test methods of class TestCases, read from the source, in unittest's order."""
    classes = [
        node for node in ast.parse(test_source).body if isinstance(node, ast.ClassDef) and node.name == "TestCases"
    ]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = classes[-1].body if classes else []
    return sorted({node.name for node in body if isinstance(node, functions) and node.name.startswith("test")})


def _imports(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def _loaded_names(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
