"""Help whose options stand in groups, plain: typer's own panels need rich, which starts slowly."""

from typing import Any

from typer.core import TyperCommand

_OTHERS = "Others"
_WIDEST = 30  # columns of the options, as click has it


class GroupedCommand(TyperCommand):
    """A command whose help lists each option below its ``rich_help_panel``, in order of the first.

    Options without one stand at the end.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then the groups, their texts below each other."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                group = getattr(parameter, "rich_help_panel", None) or _OTHERS
                groups.setdefault("Arguments" if argument else group, []).append(record)
        groups[_OTHERS] = groups.pop(_OTHERS, [])
        options = [name for title in list(groups)[1:] for name, _ in groups[title]]
        width = max((len(name) for name in options if len(name) <= _WIDEST), default=0)
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    least = 0 if title == "Arguments" else width
                    formatter.write_dl([(name.ljust(least), text) for name, text in rows])
