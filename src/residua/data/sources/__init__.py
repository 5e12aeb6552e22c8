"""Where labelled pictures come from: every kind of data set is opened as a Source."""
