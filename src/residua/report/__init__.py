"""A classifier on one page: figures, mistakes and provenance as a single HTML file."""
