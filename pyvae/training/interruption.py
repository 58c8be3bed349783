"""Ctrl-C: the first asks a training to end cleanly, the second ends the program as usual."""

import signal
import threading


class Interruption:
    """``with Interruption() as interruption``: ``requested`` becomes True if Ctrl-C is pressed inside the block.

    Only the main thread can handle signals. In another thread, and in a program that handles or ignores SIGINT itself,
    it changes nothing, and requested stays False.
    """

    def __init__(self):
        self.requested = False

    def __enter__(self):
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *exception):
        self._put_back()

    def _request(self, number, frame):
        self.requested = True
        self._put_back()  # so that the next one is a KeyboardInterrupt

    def _put_back(self):
        if signal.getsignal(signal.SIGINT) == self._request:
            signal.signal(signal.SIGINT, signal.default_int_handler)
