"""From the pictures of a request to their answers, for every protocol alike."""
