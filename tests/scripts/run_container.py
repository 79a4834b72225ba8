"""Runs a container over cove.v1 and streams its output: run_container.py SOCKET IMAGE COMMAND...

Needs grpcio and grpcio-tools, and proto/ in PYTHONPATH; nothing is generated beforehand.
"""
import sys
import grpc

pb, services = grpc.protos_and_services("cove/v1/containers.proto")


def main(socket, image, *command):
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        containers = services.ContainersStub(channel)
        spec = pb.ContainerSpec(image=image, cmd=pb.StringList(values=command))
        container = containers.CreateContainer(pb.CreateContainerRequest(spec=spec)).id
        try:
            # Attached and waited for before the start, so that nothing is missed.
            streams = pb.AttachOpen(container=container, stdout=True, stderr=True, stream=True)
            output = containers.AttachContainer(iter([pb.AttachContainerRequest(open=streams)]))
            output.initial_metadata()
            condition = pb.WAIT_CONDITION_NEXT_EXIT
            end = containers.WaitContainer(pb.WaitContainerRequest(container=container, condition=condition))
            end.initial_metadata()
            containers.StartContainer(pb.StartContainerRequest(container=container))
            for piece in output:
                stream = sys.stderr if piece.stream == pb.STDIO_STREAM_STDERR else sys.stdout
                stream.buffer.write(piece.data)
                stream.flush()
            return next(end).exit_code
        finally:
            containers.RemoveContainer(pb.RemoveContainerRequest(container=container, force=True))


sys.exit(main(*sys.argv[1:]))
