"""A desktop's half of the tray: a StatusNotifierWatcher of our own, and what a panel does with the items it gets.

https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/ and com.canonical.dbusmenu.
"""

import asyncio

from dbus_next import BusType, Message, MessageFlag, Variant
from dbus_next.aio import MessageBus
from dbus_next.constants import PropertyAccess
from dbus_next.service import ServiceInterface, dbus_property, method, signal

import session

WATCHER = "org.kde.StatusNotifierWatcher"
MENU = "com.canonical.dbusmenu"


class Watcher(ServiceInterface):
    """Notes who registers."""

    def __init__(self):
        super().__init__(WATCHER)
        self.items = []

    @method()
    def RegisterStatusNotifierItem(self, service: "s"):  # noqa: F821, N802
        self.items.append(service)
        self.StatusNotifierItemRegistered(service)

    @method()
    def RegisterStatusNotifierHost(self, service: "s"):  # noqa: F821, N802
        pass

    @signal()
    def StatusNotifierItemRegistered(self, service) -> "s":  # noqa: F821, N802
        return service

    @dbus_property(access=PropertyAccess.READ)
    def RegisteredStatusNotifierItems(self) -> "as":  # noqa: F821, F722, N802
        return self.items

    @dbus_property(access=PropertyAccess.READ)
    def IsStatusNotifierHostRegistered(self) -> "b":  # noqa: F821, N802
        return True

    @dbus_property(access=PropertyAccess.READ)
    def ProtocolVersion(self) -> "i":  # noqa: F821, N802
        return 0


class Panel:
    """A panel that shows the items that registered."""

    async def start(self):
        self.bus = await MessageBus(bus_type=BusType.SESSION).connect()
        self.watcher = Watcher()
        self.senders = []
        self.bus.add_message_handler(self.note_sender)
        self.bus.export("/StatusNotifierWatcher", self.watcher)
        await self.bus.request_name(WATCHER)
        return self

    async def end(self):
        """Leaves the bus, so that another panel can take the watcher's name."""
        await self.bus.release_name(WATCHER)
        self.bus.disconnect()

    def note_sender(self, message):
        """libayatana registers a path alone; whose it is only the message says."""
        if message.member == "RegisterStatusNotifierItem":
            self.senders.append(message.sender)

    async def item(self):
        """The first item that registers: it says a path of its own connection, or a name."""
        await wait(lambda: self.watcher.items, 60, "a tray item")
        said, sender = self.watcher.items[0], self.senders[0]
        name, path = (sender, said) if said.startswith("/") else (said, "/StatusNotifierItem")
        return await Item(self.bus, name, path).open()


class Item:
    """An item and its menu."""

    def __init__(self, bus, name, path):
        self.bus, self.name, self.path = bus, name, path

    async def open(self):
        node = await self.bus.introspect(self.name, self.path)
        self.item = self.bus.get_proxy_object(self.name, self.path, node).get_interface("org.kde.StatusNotifierItem")
        menu = await self.item.get_menu()
        node = await self.bus.introspect(self.name, menu)
        self.menu = self.bus.get_proxy_object(self.name, menu, node).get_interface(MENU)
        return self

    async def icon(self):
        return await self.item.get_icon_name()

    async def entries(self):
        """Id, label and whether it can be chosen, of each entry that has a label."""
        _, (_, _, children) = await self.menu.call_get_layout(0, -1, [])
        found = []
        for child in children:
            number, properties, _ = child.value
            label = properties.get("label", Variant("s", "")).value
            if label:
                found.append((number, label, properties.get("enabled", Variant("b", True)).value))
        return found

    async def state(self):
        """The first line: what the machine is doing."""
        return (await self.entries())[0][1]

    async def can(self, label):
        return any(enabled for _, said, enabled in await self.entries() if said.startswith(label))

    async def choose(self, label):
        number = next(number for number, said, enabled in await self.entries() if said.startswith(label) and enabled)
        # Nobody waits for an answer, as no panel does: Quit may give none.
        event = {"member": "Event", "signature": "isvu", "body": [number, "clicked", Variant("i", 0), 0]}
        where = {"destination": self.name, "path": self.menu.path, "interface": MENU}
        await self.bus.send(Message(**where, **event, flags=MessageFlag.NO_REPLY_EXPECTED))


async def wait(condition, seconds=session.ACTION_SECONDS, what="it"):
    """As session.until, for what may itself have to be awaited."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s")
        await asyncio.sleep(0.1)
