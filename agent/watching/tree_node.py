"""A directory of a watched tree."""


class TreeNode:
    __slots__ = ("parent", "name", "children", "watch", "queued", "dropped")

    def __init__(self, parent, name):
        self.parent = parent  # None for the watched directory itself
        self.name = name  # bytes
        self.children = {}  # its directories, by name
        self.watch = None  # the kernel's number of its watch
        self.queued = False  # it is to be scanned
        self.dropped = False  # it is no part of the tree any more

    def names(self):
        """Returns the names that lead to it from the watched directory."""
        names = []
        node = self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return names[::-1]

    def is_within(self, other):
        node = self
        while node is not None and node is not other:
            node = node.parent
        return node is other

    def move(self, parent, name):
        del self.parent.children[self.name]
        self.parent, self.name = parent, name
        parent.children[name] = self

    def path_of(self, name):
        return b"/".join((*self.names(), name))

    def all(self):
        """Returns the node and all below it."""
        found = [self]
        for node in found:
            found.extend(node.children.values())
        return found
