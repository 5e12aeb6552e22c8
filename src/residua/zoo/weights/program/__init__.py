"""Programs that Paddle exported, read as data: operations and the parameters they use."""
