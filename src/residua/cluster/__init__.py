"""Many machines: the functions of train, predict, distil mine and serve, run by Ray.

Nothing below this floor knows of it, and one machine imports none of it. Extra: ``cluster``.
"""
