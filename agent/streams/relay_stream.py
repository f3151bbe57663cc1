"""What the relay keeps of any stream, and what the host may not send for it."""

from streams.relay_socket import RelaySocket
from wire import frames


class RelayStream(RelaySocket):
    """The methods that take a frame raise BadFrame if the frame may not come now."""

    def __init__(self, relay, stream_id, socket):
        super().__init__(relay, socket)
        self.id = stream_id

    def take_accept(self):
        raise frames.BadFrame("ACCEPT")

    def take_data(self, payload):
        raise frames.BadFrame("DATA")

    def take_eof(self):
        raise frames.BadFrame("EOF")

    def take_credit(self, size):
        raise frames.BadFrame("CREDIT")
