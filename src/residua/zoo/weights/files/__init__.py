"""Weight files of any maker read into arrays: safetensors, PyTorch, Paddle, tar; nothing is run."""
