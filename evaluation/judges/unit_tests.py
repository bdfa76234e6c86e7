"""Verdicts of tests that share an interpreter with the code: unittest classes (BigCodeBench), check() (HumanEval).

See inside/units.py for what cannot forge them, and what can.
"""

from __future__ import annotations

import ast
import secrets
from collections.abc import Sequence
from typing import Any

from evaluation.judges.extract import defines
from evaluation.judges.programs import Failed, ask, judged
from evaluation.problem import Verdict
from evaluation.sandbox.bubblewrap import Sandbox
from evaluation.sandbox.session import Limits, Session

UNITTEST_LIMITS = Limits(resident_bytes=8 << 30, processes=128, open_files=512, folder_bytes=256 << 20)
"""BigCodeBench has no limit on what is resident, of processes and files."""

LIBRARIES = (
    "bs4 blake3 chardet cryptography django dns docxtpl faker flask flask_login flask_mail flask_restful flask_wtf "
    "folium gensim geopandas geopy holidays keras Levenshtein librosa lxml matplotlib mechanize natsort networkx nltk "
    "numba numpy cv2 openpyxl pandas PIL prettytable psutil Crypto pyfakefs pyquery pytesseract pytest "
    "python_http_client dateutil docx pytz yaml requests requests_mock rsa skimage sklearn scipy seaborn selenium "
    "sendgrid shapely soundfile statsmodels sympy tensorflow textblob texttable werkzeug wikipedia wordcloud "
    "wordninja wtforms xlrd xlwt xmltodict cgi distutils imp"
)
"""What BigCodeBench has, by import name: it installs these, and its Python 3.10 has the last three."""


def judge_unittest(
    code: str,
    test_source: str,
    *,
    entry_point: str,
    sandbox: Sandbox,
    time_limit_s: float,
    libs: Sequence[str] = (),
) -> Verdict:
    """All tests of class TestCases under one driver; time_limit_s is for all. libs: what the task needs installed.

    not_judged: a library is missing here that the task or its tests need; or one that BigCodeBench has, and the code failed
    of an import of it. That there was one, the importer says, never the words of an error. Raises SyntaxError where the
    tests are no Python.
    """
    tree = ast.parse(test_source)
    needed = sorted({lib.partition(".")[0] for lib in (*libs, *_imports(tree))})
    setup = {"code": code, "test": test_source, "entry_point": entry_point, "names": _test_names(tree)}
    return _judged(setup | {"needed": needed}, sandbox, time_limit_s)


def judge_check(code: str, test_source: str, *, entry_point: str, sandbox: Sandbox, time_limit_s: float) -> Verdict:
    """The test's check(candidate), in one interpreter with the code. time_limit_s is for all.

    Helpers that both define are the test's in the test: a benchmark that puts the prompt in front of it keeps the prompt's.
    """
    names = ["check"] if defines(test_source, "check") else []
    setup = {"code": code, "test": test_source, "entry_point": entry_point, "names": names, "needed": []}
    return _judged(setup, sandbox, time_limit_s)


def _judged(setup: dict[str, Any], sandbox: Sandbox, time_limit_s: float) -> Verdict:
    """Right only if the token is the run's own and every test that the source names passed."""
    token, names = secrets.token_hex(16), setup["names"]
    libraries = {*setup["needed"], *LIBRARIES.split()}

    def run_tests(session: Session) -> None:
        kinds = {"token": str, "missing": list, "passed": list, "failed": str}
        answer = ask(session, setup | {"token": token}, time_limit_s, "the tests", **kinds)
        if answer["token"] != token:
            raise Failed("the verdict is not the driver's")
        if missing := [name for name in answer["missing"] if name in libraries]:
            raise Failed(f"libraries missing: {', '.join(missing)}", status="not_judged")
        if answer["failed"] or answer["passed"] != names:
            raise Failed(f"{len(answer['passed'])} of {len(names)} tests passed, then {answer['failed']}")

    return judged(run_tests, sandbox.start("units", UNITTEST_LIMITS), count=len(names))


def _test_names(tree: ast.Module) -> list[str]:
    """The test methods of class TestCases, in unittest's order."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "TestCases"]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = classes[-1].body if classes else []
    return sorted({node.name for node in body if isinstance(node, functions) and node.name.startswith("test")})


def _imports(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
