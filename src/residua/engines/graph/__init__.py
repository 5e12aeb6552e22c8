"""A row's network in the words of a runtime: one walk over the layers, one emitter a runtime."""
