"""A page or a drawing read back: well-formed or an AssertionError; its elements and its text."""

from html.parser import HTMLParser

_VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """The elements (tag, attributes) in order, pieces of text by tag, and the text of each id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.sections: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), (tag, attrs)
        self.elements.append((tag, attributes))
        if tag not in _VOID:
            self._open.append((tag, attributes.get("id", "")))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open
        assert self._open.pop()[0] == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self._open:
            self.texts.setdefault(self._open[-1][0], []).append(data)
        if not any(tag in ("style", "script") for tag, _ in self._open):
            for _, section in self._open:
                if section:
                    self.sections[section] = self.sections.get(section, "") + data + " "
            self.sections[""] = self.sections.get("", "") + data + " "

    def words(self, section: str = "") -> str:
        """The text of a section, or of the page, with single spaces."""
        return " ".join(self.sections[section].replace("\u202f", " ").split())
