"""The command line: one short file for each verb; what a verb needs is imported when it runs."""
