"""From a recipe and labelled pictures to a bundle: start, loop, loss, optimiser, schedule."""
