"""Pictures of any number as rows that Ray reads: numbered once, read anywhere."""
