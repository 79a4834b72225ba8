"""Archives of images made from this computer's static busybox: what containers run that must not end by themselves."""

import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile

NAME = "busybox:test"


def write(path, name=NAME, created=None, ballast=0):
    """Writes an archive in docker's format. `ballast` is the size of a second layer, which makes it as large as it says."""
    layers = [busybox()]
    if ballast:
        layers.append(layer(("var/lib/ballast", hashlib.shake_256(name.encode()).digest(ballast), 0o644)))
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            **({"created": created} if created else {}),
            "config": {"Cmd": ["sleep", "3600"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]},
        }
    ).encode()
    files = [f"layer-{number}.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": files}]
    with tarfile.open(path, "w") as tar:
        for file, data in zip(files, layers, strict=True):
            add(tar, file, data)
        add(tar, "config.json", config)
        add(tar, "manifest.json", json.dumps(manifest).encode())
    return path


def busybox():
    program = shutil.which("busybox")
    assert program, "there is no busybox; install busybox-static"
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    links = [f"bin/{applet}" for applet in applets if applet != "busybox"]
    return layer(("bin/busybox", pathlib.Path(program).read_bytes(), 0o755), links=links)


def layer(*files, links=()):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content, mode in files:
            add(tar, name, content, mode)
        for name in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return data.getvalue()


def add(tar, name, data, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
