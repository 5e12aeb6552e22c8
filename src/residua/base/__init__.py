"""The ground floor: errors, names, files, progress, time and the machine. Imports nothing of ours."""
