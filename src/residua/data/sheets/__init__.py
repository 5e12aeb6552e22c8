"""Contact sheets: pictures with captions, for people to look at."""
