"""The command line, but a run that has ended keeps its checkpoints: for tests to compare."""

from residua.cli.main import run
from residua.train.storage.run_folder import RunFolder

RunFolder.finish = lambda self, bundle: None

if __name__ == "__main__":
    run()
