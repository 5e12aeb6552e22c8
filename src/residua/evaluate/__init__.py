"""How right a classifier is: each picture counted once, through the pixels that prediction sees."""
