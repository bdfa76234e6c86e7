"""Driver for unittest classes (BigCodeBench): code and tests share one interpreter, because the tests patch and look
into what the code uses. So here, and only here, the expected values are within reach of the code under test.

What makes a forged verdict hard: it is signed with a random token that exists as a local of this driver alone; every test
has to run to its end, by name, none skipped; assertions are functions captured before the code was loaded, whatever it
has patched; at each assertion, at each return of the function and after each test unittest must be what it was (the
builtins after each test: tests patch them, too); what is compared may not decide itself what it is equal to; and z1_guard
ends the process when the code reaches for frames, the garbage collector, ctypes or the memory of a process, itself or
through a library that calls whatever it is given.

What remains possible: a thread, signal or destructor that patches what the tests call between two looks and puts it back;
patching the libraries that the tests lean on (json, pandas.testing), or one that gets frames from an honest library, or
values inside a library's containers; machine code brought along; and reading the assertions (not their results) off the
test's own code objects to answer as they wish. These are work for someone who knows this file, not accidents of a model.
"""

import builtins

__builtins__ = dict(vars(builtins))  # a copy for this driver: the code under test may patch the real ones

import os
import sys
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import z1_guard
from z1_inside import Channel, apply_limits

SOURCE = "solution.py"
TEST = "__test__.py"


def words(error):
    try:
        return (type(error).__name__ + ": " + str(error))[:600]
    except BaseException:
        return "an error that cannot be printed"


def load(setup, module, tests, changed, seals):
    """Code and tests in one module, as BigCodeBench has it; returns the class of the tests."""
    with open(SOURCE, "w") as file:
        file.write(setup["code"])
    namespace = module.__dict__
    exec(compile(setup["code"], SOURCE, "exec"), namespace)
    function = namespace.get(setup["entry_point"])
    if function is None:
        raise NameError("the code defines no " + setup["entry_point"])
    shadows = [name for name in setup["builtins"] if name in namespace and namespace[name] is not __builtins__[name]]
    if shadows:
        raise NameError("the code redefines %s, which the tests use" % ", ".join(shadows))
    namespace[setup["entry_point"]] = z1_guard.watched(function)
    check(changed)
    exec(tests, namespace)
    cases = namespace.get("TestCases")
    if type(cases) is not type or cases.__mro__ != (cases, unittest.TestCase, object):
        raise TypeError("TestCases is no class of unittest's TestCase")
    seals.append(z1_guard.seal_of(cases))
    return cases


def check(changed):
    what = changed()
    if what:
        raise AssertionError(what)


def run_all(setup, module, changed, seals):
    """[(name, status, words)] of the tests up to the first that does not pass, and why the run as a whole is void, or
    None. A test has passed if it ran to its end, cleaning up included: what it raises may not be what it claims."""
    debug, tests = unittest.TestCase.debug, z1_guard.compiled(setup["test"], TEST)
    outcomes = []
    try:
        cases = load(setup, module, tests, changed, seals)
        cases.setUpClass()
        for name in setup["names"]:
            try:
                debug(cases(name))
                outcomes.append((name, "passed", ""))
            except BaseException as error:
                outcomes.append((name, "failed" if isinstance(error, AssertionError) else "error", words(error)))
                return outcomes, None
            check(changed)
        cases.tearDownClass()
    except BaseException as error:
        return outcomes, words(error)
    return outcomes, None


def main():
    channel = Channel(int(sys.argv[1]))
    limits = channel.greet()
    setup = channel.receive()
    token, write, fd = setup.pop("token"), os.write, channel.fd
    apply_limits(limits)
    z1_guard.hide_memory()
    module = types.ModuleType("__test__")
    module.__dict__.update({"__builtins__": builtins, "__file__": TEST, "__package__": None, "sys": sys, "os": os})
    sys.modules["__test__"] = module
    sys.modules["__main__"] = types.ModuleType("__main__")
    for name in ("z1_inside", "z1_guard"):
        del sys.modules[name]
    del sys.path[0]
    sys.argv[:] = [TEST]
    outcomes, void = run_all(setup, module, *z1_guard.arm(write, fd))
    # By hand and in hex, out of immutable parts: a patched json module must not see the token.
    rows = ["[%s]" % ", ".join('"%s"' % text.encode("utf-8", "replace").hex() for text in row) for row in outcomes]
    reason = "null" if void is None else '"%s"' % void.encode("utf-8", "replace").hex()
    data = ('{"token": "%s", "outcomes": [%s], "void": %s}\n' % (token, ", ".join(rows), reason)).encode()
    while data:
        data = data[write(fd, data) :]
    os._exit(0)


if __name__ == "__main__":
    main()
