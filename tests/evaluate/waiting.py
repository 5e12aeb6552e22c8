"""Started by torchrun: the first process works for longer than the others wait for a word."""

import datetime as dt
import sys
import time

from residua.base.errors import DataError
from residua.evaluate import ranks as module

module._TIMEOUT = dt.timedelta(seconds=4)


def work(ranks):
    if ranks.first:
        time.sleep(9)
        if "fail" in sys.argv:
            raise DataError("The first could not do it.")
    return ranks.rank * 10


with module.joining("cpu") as ranks:
    found = ranks.together(lambda: work(ranks), pause=1)
    sys.stdout.write(f"process {ranks.rank} has {found}\n")
