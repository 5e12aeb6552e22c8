"""Exports: a bundle's network in the files of other runtimes, each compared before it is kept."""
