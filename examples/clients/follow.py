"""`python follow.py URL KEY [CURSOR]` prints every change of a task, through restarts of the server."""

import json
import sys

from careline import Careline

CHANGES = "subscription ($after: String) { taskChanged(after: $after) { cursor change task { title } } }"
for change in Careline(*sys.argv[1:3]).follow(CHANGES, *sys.argv[3:]):
    print(json.dumps(change), flush=True)
