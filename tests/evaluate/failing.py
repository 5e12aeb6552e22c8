"""Started by torchrun: the processes named on the command line end with an error of the family."""

import sys

from residua.base.errors import DataError
from residua.evaluate.ranks import joining

with joining("cpu") as ranks:
    if str(ranks.rank) in sys.argv[1]:
        raise DataError(f"broken {sys.argv[2]}".replace("RANK", str(ranks.rank)))
    ranks.gather(None)
