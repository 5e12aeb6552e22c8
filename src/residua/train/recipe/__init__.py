"""The recipe: its typed tree, the files and names it is read from, and the one that fits."""
