"""Driver for tests that are a check(candidate): runs the test, and asks outside for every call of the candidate.

The code under test is in another sandbox; here its results arrive as plain values, so there is nothing it could patch,
leave early or pretend to be equal to.
"""

import ast
import builtins
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from z1_inside import Channel, apply_limits
from z1_values import pack, unpack


def main():
    channel = Channel(int(sys.argv[1]))
    apply_limits(channel.greet())
    setup = channel.receive()
    sys.setrecursionlimit(50000)
    namespace = {"__name__": "checks", "__builtins__": builtins}
    calls = []

    def candidate(name):
        def call(*arguments, **keywords):
            calls.append(name)
            channel.send({"call": name, "packed": pack([arguments, keywords])})
            reply = channel.receive()
            if "packed" not in reply:
                raise CandidateError(reply["error"])
            return unpack(reply["packed"], namespace)

        call.__name__ = name
        return call

    tree = ast.parse(setup["test"])
    exec(compile(tree, "test.py", "exec"), namespace)
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for name in loaded - set(namespace) - set(dir(builtins)) - {"candidate"}:
        namespace[name] = candidate(name)  # HumanEval's tests call helpers of the code under test
    namespace[setup["entry_point"]] = candidate(setup["entry_point"])  # over the stub, where the prompt is in front
    try:
        namespace["check"](namespace[setup["entry_point"]])
    except CandidateError as error:
        channel.send({"passed": False, "calls": len(calls), "error": str(error)})
    except BaseException as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        text = setup["test"].splitlines()[line.lineno - 1].strip() if line.filename == "test.py" else ""
        kind = "" if isinstance(error, AssertionError) else "%s: " % type(error).__name__
        words = [kind + (str(error) or text), text if str(error) else ""]
        channel.send({"passed": False, "calls": len(calls), "error": words[0][:600], "test": words[1][:600]})
    else:
        channel.send({"passed": True, "calls": len(calls)})


class CandidateError(Exception):
    """The code under test raised; the test itself is not at fault."""


if __name__ == "__main__":
    main()
