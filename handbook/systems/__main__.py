"""`python -m handbook.systems A1`: write the picture of a system to standard output."""

import sys

from . import systems

print(next(system.draw() for system in systems(sys.argv[1][0].lower()) if system.id == sys.argv[1].upper()))
