"""Tests that share an interpreter with the code: unittest classes (BigCodeBench), which patch and look into
what the code uses, and a check(candidate) (HumanEval).

What a model writes by accident does not pass: an end before the tests, lines that look like a verdict, assertions that
were patched or redefined, a test class that is gone, a value that is equal to anything. The verdict goes over a channel
of the driver's own with a token that is no global; every test that the source names has to run to its end; unittest is
as it was before the code was loaded, and the class of the tests has its assertions for itself. Code written to attack the
interpreter it shares with its tests can still forge its verdict. It can do nothing else: see bubblewrap.py.
"""

import builtins
import os
import sys
import traceback
import types
import unittest
import unittest.mock
from functools import wraps
from importlib.util import find_spec

from __main__ import compiled, find  # the driver

TEST = "__test__.py"
MOST_LOOKED_AT = 2000


class Imports:
    """The last of the finders: what it is asked for was really imported, and nobody else has found it."""

    def __init__(self):
        self.not_found = set()
        self.fatal = set()

    def find_spec(self, name, path=None, target=None):
        if path is None:
            self.not_found.add(name)

    def blame(self, error):
        """Notes what the error came of, if that was such an import; never what it only says."""
        while error is not None:
            if isinstance(error, ModuleNotFoundError) and error.name in self.not_found:
                self.fatal.add(error.name)
            error = error.__cause__ or error.__context__


class Stranger:
    """Nothing of the code's can be equal to it."""


def at_line(error, test):
    """Of the test, where an assertion says nothing else."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == TEST]
    return " at " + test.split("\n")[lines[0] - 1].strip() if lines else ""


def equals_anything(value):
    """Whether the value, or one in the builtin containers that it is made of, claims to be equal to a stranger."""
    todo = [value]
    for each in todo:
        try:
            if isinstance(type(each).__eq__, types.FunctionType) and each == Stranger():
                return True
        except Exception:
            pass
        if len(todo) < MOST_LOOKED_AT and type(each) in (list, tuple, set, frozenset, dict):
            todo += each.values() if type(each) is dict else each
    return False


def watch(namespace, name, function):
    """Puts the function, as the tests see it, in place of itself.

    While it runs the name is its own: a recursion is as deep as it would be."""

    @wraps(function)
    def watched(*arguments, **keywords):
        namespace[name] = function
        try:
            value = function(*arguments, **keywords)
        finally:
            namespace[name] = watched
        if equals_anything(value):
            raise AssertionError("the code returned what is equal to anything")
        return value

    namespace[name] = function if isinstance(function, type) else watched


class Unittest:
    """As it was before the code was loaded."""

    def __init__(self):
        self.base = unittest.TestCase
        self.methods = {name: value for name, value in vars(self.base).items() if not name.startswith("__")}
        self.modules = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "unittest"}
        self.contents = [(vars(module), dict(vars(module))) for module in self.modules.values()]

    def put_back(self):
        sys.modules.update(self.modules)
        for namespace, content in self.contents:
            namespace.update(content)

    def own(self, cases):
        """Gives a class of tests the methods of TestCase for its own: what is patched there does not reach it."""
        above = cases.__mro__[: cases.__mro__.index(self.base)]
        for name, value in self.methods.items():
            if not any(name in vars(owner) for owner in above):
                setattr(cases, name, value)


def run_units(setup, module, function, before, passed):
    watch(vars(module), setup["entry_point"], function)
    exec(compile(setup["test"], TEST, "exec"), vars(module))
    cases = vars(module)["TestCases"]
    before.own(cases)
    methods = {name: vars(cases)[name] for name in setup["names"]}
    cases.setUpClass()
    for name, method in methods.items():
        setattr(cases, name, method)
        cases(name).debug()
        passed.append(name)
        before.put_back()
    cases.tearDownClass()


def run_check(setup, module, function, passed):
    """check(candidate), whose helpers and builtins are not the code's."""
    namespace = {name: value for name, value in vars(module).items() if name not in vars(builtins)}
    namespace["__name__"] = TEST
    exec(compile(setup["test"], TEST, "exec"), namespace)
    watch(namespace, setup["entry_point"], function)
    namespace["check"](namespace[setup["entry_point"]])
    passed.append("check")


def is_missing(library):
    """Finding is enough: importing some takes seconds."""
    try:
        return find_spec(library) is None
    except ValueError:
        return True


def run(setup, module, imports):
    """The names of the tests that ran to their end, cleaning up included, and how it failed, where it did."""
    before, passed, failed = Unittest(), [], ""
    imports.fatal.update(filter(is_missing, setup["needed"]))
    if imports.fatal:
        return {"passed": passed, "failed": failed}
    try:
        exec(compiled(setup["code"]), vars(module))
        before.put_back()
        function = find(module, setup["entry_point"])
        if setup["names"] == ["check"]:
            run_check(setup, module, function, passed)
        else:
            run_units(setup, module, function, before, passed)
    except BaseException as error:
        imports.blame(error)
        failed = ("%s: %s" % (type(error).__name__, error)).rstrip(": ")[:600] + at_line(error, setup["test"])
    return {"passed": passed, "failed": failed}


def serve(channel):
    setup, leave = channel.receive(), os._exit
    token, imports = setup.pop("token"), Imports()
    module = types.ModuleType("__test__")
    module.__dict__.update({"__builtins__": builtins, "__file__": TEST, "__package__": None, "sys": sys, "os": os})
    sys.meta_path.append(imports)
    sys.modules["__test__"] = module
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv[:] = [TEST]
    result = run(setup, module, imports)
    channel.send({"token": token, "missing": sorted(imports.fatal), **result})
    leave(0)
