"""--cluster: what the verbs do on many machines, read and printed."""
