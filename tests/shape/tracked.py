"""What no file of the repository may hold: addresses of package registries and paths of one machine."""

import re
import subprocess
import tempfile
from pathlib import Path

# In pieces, so that this file does not name them itself.
REGISTRIES = [
    ".".join(host)
    for host in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
    )
]
LOCK_MUST_NOT_HOLD = re.compile(r"\w+://|^\s*(-i|-f|--[a-z-]*index[a-z-]*|--find-links|--trusted-host)\b", re.M)
SHARED_FOLDERS = {Path(name) for name in ("/", "/home", "/opt", "/root", "/srv", "/tmp", "/usr/src", "/var/tmp")}


def tracked_files(root: Path) -> list[Path]:
    """Every file that git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    paths = (root / name for name in listed.stdout.decode().split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def foreign_addresses(root: Path) -> list[str]:
    """One sentence for each file that names a package registry or a folder of the machine it is on."""
    folders = {root, root.parent, Path.home()} - SHARED_FOLDERS - {Path(tempfile.gettempdir())}
    forbidden = [host.encode() for host in REGISTRIES] + [f"{folder}/".encode() for folder in folders]
    found = []
    for path in tracked_files(root):
        content = path.read_bytes()
        for text in forbidden:
            if text in content:
                line = content[: content.index(text)].count(b"\n") + 1
                found.append(f"{path.relative_to(root)}:{line}: names {text.decode()}")
    return found


def lock_addresses(root: Path) -> list[str]:
    """One sentence for each lock file that says where packages come from."""
    found = []
    for path in tracked_files(root):
        if path.suffix == ".lock":
            text = path.read_text(encoding="utf-8")
            match = LOCK_MUST_NOT_HOLD.search(text)
            if match:
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(root)}:{line}: a lock names no index and no address")
    return found
