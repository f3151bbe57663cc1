"""How often a text is in another."""


def count(content, text):
    """How often it is there. Two that overlap count as two at least, since either could be meant."""
    first = content.find(text)
    if first == -1:
        return 0
    return max(2, content.count(text)) if content.find(text, first + 1) != -1 else 1
