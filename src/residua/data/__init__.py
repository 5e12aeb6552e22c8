"""From files to batches: sources of labelled pictures, splits, order, crops, mixing, the loader."""
