"""The smallest driver: says back what it is told. It shows that the sandbox works at all."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from z1_inside import Channel, apply_limits

if __name__ == "__main__":
    channel = Channel(int(sys.argv[1]))
    apply_limits(channel.greet())
    channel.send(channel.receive())
