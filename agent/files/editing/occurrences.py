"""Counts how often a text is in another."""


def count(content, text):
    """Returns how often the text is there. If two overlap, at least two: either could be meant."""
    first = content.find(text)
    if first == -1:
        return 0
    return max(2, content.count(text)) if content.find(text, first + 1) != -1 else 1
