"""From the bytes of a picture file to the crop that a network takes: the one entrance for pixels.

``sniff`` knows the format and the declared size from the first bytes, ``limits`` refuses before
anything is decoded, ``decode`` gives upright 8-bit pixels, ``resize`` equals Pillow or OpenCV bit
for bit, ``prepare`` puts them together, and ``graph`` is the part that lives inside the network.
Training crops come from ``region``, which decodes no more of a picture than they need.
"""
