"""The ground floor: errors, names, files, progress, time, machine; imports nothing of ours."""
