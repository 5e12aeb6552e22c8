"""From a recipe and labelled pictures to a bundle: ``run`` sets up, ``loop`` trains."""
