"""Counts as people read them."""


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Spell a number of things; ``plural`` where it is not the singular with an s.

    >>> [count_of(1, "epoch"), count_of(30, "epoch"), count_of(2, "class", "classes")]
    ['1 epoch', '30 epochs', '2 classes']
    """
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"
