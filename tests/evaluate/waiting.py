"""Started by torchrun: the first process works for longer than the others wait for a word."""

import datetime as dt
import sys
import time

from torch.distributed import distributed_c10d

from residua.base.errors import DataError
from residua.evaluate.ranks import joining


def work(ranks):
    if ranks.first:
        if "fail" in sys.argv:
            raise DataError("The first could not do it.")
        time.sleep(12)
    return ranks.rank * 10


with joining("cpu") as ranks:
    ranks.gather(None)  # all are there
    distributed_c10d._set_pg_timeout(dt.timedelta(seconds=6))
    found = ranks.together(lambda: work(ranks), pause=1)
    sys.stdout.write(f"process {ranks.rank} has {found}\n")
