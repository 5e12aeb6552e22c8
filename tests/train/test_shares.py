"""Every row of a batch is computed once, in whole pairs, whatever the processes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.base.errors import SettingError
from residua.evaluate.ranks import Ranks
from residua.train.update.shares import Shares


@given(
    batch=st.integers(2, 300),
    micro=st.integers(0, 64),
    world=st.integers(1, 9),
    more=st.integers(0, 500),
)
def test_shares_cover_a_batch_exactly_once_in_whole_pairs(batch, micro, world, more):
    if batch < 2 * world:
        with pytest.raises(SettingError, match="each needs a pair"):
            Shares(batch, batch, micro, Ranks(0, world))
        return
    seen, counts = [], set()
    for rank in range(world):
        shares = Shares(batch + more, batch, micro, Ranks(rank, world))
        rows = np.arange(batch)[shares.rows]
        pieces = [rows[piece] for piece in shares.micro_batches]
        assert all(len(piece) for piece in pieces)
        assert all(piece[0] % 2 == 0 for piece in pieces)
        counts.add(len(pieces))
        seen += np.concatenate(pieces).tolist()
    assert seen == list(range(batch))
    assert len(counts) == 1  # collective operations meet


def test_micro_batches_stay_below_their_bound():
    shares = Shares(1000, 64, 10)
    sizes = [piece.stop - piece.start for piece in shares.micro_batches]
    assert sum(sizes) == 64
    assert max(sizes) <= 10


def test_pieces_are_the_rows_of_this_process_of_every_batch():
    order = np.arange(100, 123)
    pieces = Shares(23, 8, ranks=Ranks(1, 2)).pieces(order)
    assert [piece.tolist() for piece in pieces] == [[104, 105, 106, 107], [112, 113, 114, 115]]
