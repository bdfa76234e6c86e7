"""Driver for functions: loads the code once, then calls what it is told to, one call at a time, and sends back the result.

It knows arguments only. Whatever the code does to this interpreter, it can but send other values, and these are compared
outside with values it never sees.
"""

import os
import sys
import traceback
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from z1_inside import PRELUDE, Channel, apply_limits
from z1_values import Unplain, pack, unpack

SOURCE = "solution.py"


def load(code):
    """Not as __main__: code behind `if __name__ == "__main__"` is for people who try it."""
    module = types.ModuleType("solution")
    module.__file__ = SOURCE
    sys.modules["solution"] = module
    with open(SOURCE, "w") as file:
        file.write(code)
    exec(PRELUDE, module.__dict__)
    exec(compile(code, SOURCE, "exec"), module.__dict__)
    return module


def find(module, name):
    """A method of Solution if there is one (of one object for all calls, as LiveCodeBench does), else a function."""
    solution = getattr(module, "Solution", None)
    if isinstance(solution, type) and hasattr(solution, name):
        if not hasattr(module, "_z1_solution"):
            module._z1_solution = solution()
        return getattr(module._z1_solution, name)
    function = getattr(module, name, None)
    if not callable(function):
        raise NameError("the code defines no %s" % name)
    return function


def attempt(action):
    """What an action gives, or how it failed; nothing the code raises ends the driver."""
    try:
        return action()
    except BaseException as error:
        kind = type(error).__name__
        lines = traceback.format_exc(limit=-3).strip()[-1500:]
        return {"error": "%s: %s" % (kind, str(error)[:300]), "kind": kind, "traceback": lines}


def answer(module, request):
    function = find(module, request["name"])
    if "packed" not in request:
        return {"value": function(*request["arguments"])}
    arguments, keywords = unpack(request["packed"], module.__dict__)
    try:
        return {"packed": pack(function(*arguments, **keywords))}
    except Unplain as error:
        return {"error": str(error), "kind": "Unplain"}


def main():
    channel = Channel(int(sys.argv[1]))
    apply_limits(channel.greet())
    setup = channel.receive()
    names = []

    def start():
        module = load(setup["code"])
        find(module, setup["entry_point"])
        names.append(module)
        return {"ready": True}

    channel.send(attempt(start))
    while True:
        request = channel.receive()
        reply = attempt(lambda: answer(names[0], request))  # noqa: B023  (called at once)
        try:
            reply["nonce"] = request["nonce"]
            channel.send(reply)
        except (TypeError, ValueError, RecursionError) as error:
            channel.send({"nonce": request["nonce"], "error": "the result is no plain value (%s)" % error, "kind": ""})


if __name__ == "__main__":
    main()
