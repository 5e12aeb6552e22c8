"""The models that are served: loaded, swapped, fed with batches."""
