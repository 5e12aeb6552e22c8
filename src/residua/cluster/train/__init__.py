"""``residua train --cluster``: the training of ``train.run``, its processes placed by Ray Train."""
