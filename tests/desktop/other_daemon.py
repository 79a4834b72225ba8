"""Daemons of other versions: as much of them as the window notices."""

import concurrent.futures
import contextlib
import threading

import grpc

pb, services = grpc.protos_and_services("cove/v1/machine.proto")


class Older(services.MachineServicer):
    """From before there was anything to watch: every call is unknown to it."""


class Newer(services.MachineServicer):
    """Says another version, and a machine that is stopped."""

    version = "99.0.0"

    def __init__(self):
        self.ends = threading.Event()

    def GetMachine(self, _request, _context):  # noqa: N802
        status = pb.MachineStatus(state=pb.MACHINE_STATE_STOPPED, revision=1)
        return pb.GetMachineResponse(status=status, host=pb.HostInfo(daemon_version=self.version, os="linux"))

    def WatchMachine(self, _request, _context):  # noqa: N802
        yield pb.WatchMachineResponse(status=pb.MachineStatus(state=pb.MACHINE_STATE_STOPPED, revision=1))
        self.ends.wait()


@contextlib.contextmanager
def serving(home, machine):
    """Answers at the home's endpoint, as its daemon would."""
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    services.add_MachineServicer_to_server(machine, server)
    server.add_insecure_port(f"unix:{home}/run/engine.sock")
    server.start()
    try:
        yield
    finally:
        if isinstance(machine, Newer):
            machine.ends.set()
        server.stop(grace=None).wait()
