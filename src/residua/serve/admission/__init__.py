"""Who and how much is let in, for every protocol alike: tokens, rates, the room there is."""
