"""An archive of one image: a static busybox and nothing else. It is what containers run that must not end by themselves."""

import hashlib
import io
import json
import pathlib
import shutil
import tarfile

NAME = "busybox:test"


def write(path):
    """Writes the archive, in docker's format."""
    busybox = pathlib.Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        add(tar, "bin/busybox", busybox, 0o755)
        for applet in ["sh", "sleep", "printf", "cat"]:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    layer = layer.getvalue()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sleep", "3600"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        add(tar, "layer.tar", layer)
        add(tar, "config.json", config)
        add(tar, "manifest.json", json.dumps(manifest).encode())
    return path


def add(tar, name, data, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
