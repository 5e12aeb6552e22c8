"""``residua serve --cluster``: the server's application as replicas of Ray Serve."""
