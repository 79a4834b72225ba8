"""The app's window as the X server sees it: whether it is shown, and the cross that closes it. What a panel or a window
manager would do, and WebDriver cannot."""

import ctypes

TITLE = b"Cove"

CLIENT_MESSAGE = 33
IS_VIEWABLE = 2


class Attributes(ctypes.Structure):
    """XWindowAttributes, up to the state of the window."""

    _fields_ = [
        *[(name, ctypes.c_int) for name in ("x", "y", "width", "height", "border_width", "depth")],
        ("visual", ctypes.c_void_p),
        ("root", ctypes.c_ulong),
        *[(name, ctypes.c_int) for name in ("class_", "bit_gravity", "win_gravity", "backing_store")],
        *[(name, ctypes.c_ulong) for name in ("backing_planes", "backing_pixel")],
        ("save_under", ctypes.c_int),
        ("colormap", ctypes.c_ulong),
        ("map_installed", ctypes.c_int),
        ("map_state", ctypes.c_int),
        ("rest", ctypes.c_byte * 64),
    ]


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent, as large as an XEvent."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_byte * 128),
    ]


class Screen:
    """The display of this test."""

    def __init__(self):
        self.x = x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.restype = ctypes.c_void_p
        x.XDefaultRootWindow.restype = x.XInternAtom.restype = ctypes.c_ulong
        # A window that is gone by the time it is asked about is no reason to end this process.
        self.ignore = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 0)
        x.XSetErrorHandler(self.ignore)
        self.display = ctypes.c_void_p(x.XOpenDisplay(None))
        assert self.display.value, "there is no display"

    def shown(self):
        """Whether the app's window is on the screen."""
        return any(self.state(window) == IS_VIEWABLE for window in self.windows())

    def close(self):
        """Asks the app to close its window, as its cross does."""
        protocols, delete = (self.atom(name) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        for window in self.windows():
            if self.state(window) == IS_VIEWABLE:
                event = ClientMessage(type=CLIENT_MESSAGE, window=window, message_type=protocols, format=32)
                event.data[0] = delete
                self.x.XSendEvent(self.display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
        self.x.XSync(self.display, 0)

    def windows(self):
        root, children, count = ctypes.c_ulong(), ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
        top = ctypes.c_ulong(self.x.XDefaultRootWindow(self.display))
        references = [ctypes.byref(out) for out in (root, root, children, count)]
        assert self.x.XQueryTree(self.display, top, *references), "the display does not list its windows"
        found = [children[number] for number in range(count.value)]
        self.x.XFree(children)
        return [window for window in found if self.title(window) == TITLE]

    def title(self, window):
        name = ctypes.c_char_p()
        self.x.XFetchName(self.display, ctypes.c_ulong(window), ctypes.byref(name))
        return name.value

    def state(self, window):
        attributes = Attributes()
        known = self.x.XGetWindowAttributes(self.display, ctypes.c_ulong(window), ctypes.byref(attributes))
        return attributes.map_state if known else None

    def atom(self, name):
        return self.x.XInternAtom(self.display, name, 0)
