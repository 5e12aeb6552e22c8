"""PaddleClas configurations as they are written: files, overrides, sections."""
