"""Who is asked: a frozen network, a graph of another framework, or a peer that learns too."""
