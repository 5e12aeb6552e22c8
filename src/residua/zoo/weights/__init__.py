"""Published weights: which there are, how they come here, and how a file becomes a bundle.

catalogue   the published files, with their networks, licences, accuracies and pixels (data)
cache       where files and the bundles made of them lie, and what content they had at first use
download    one file over HTTP: streamed, resumed, hashed
fetch       the file of a catalogue entry: found, or fetched from the first mirror that has it
make        tensors and facts into a bundle
resolve     ``open_bundle``: the one door for a bundle, a zoo name or a weight file
files/      weight files of any maker, read into arrays
program/    programs that Paddle exported, read as data
names/      whose tensors they are, and what each is called in our networks
"""
