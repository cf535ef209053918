"""Set the repository's address everywhere: python tools/repository.py https://github.com/OWNER/NAME.

The address stands in `pyproject.toml`; every other place repeats it, in one of two forms: OWNER/NAME
(after github.com/, Colab's github/, github: or an opening quote) and the site's OWNER.github.io/NAME.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"https://github\.com/([A-Za-z\d](?:-?[A-Za-z\d]){0,38})/([\w.-]{1,100}?)(?:\.git)?/?", re.ASCII)


def site(owner: str, name: str) -> str:
    """Where GitHub Pages shows a repository, without the scheme."""
    host = f"{owner.lower()}.github.io"
    return host if name.lower() == host else f"{host}/{name}"


def parse(url: str) -> tuple[str, str]:
    """Owner and name of a repository's address; ValueError says what was expected."""
    found = ADDRESS.fullmatch(url)
    if not found or found[2] in {".", "..", ".git"}:
        raise ValueError(f"expected https://github.com/OWNER/NAME, got {url!r}")
    return found[1], found[2]


def replace(text: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    """`text` with the new address, in one pass: the old and the new may contain each other."""
    repository = rf"(?P<before>github\.com[/:]|/github/|github:|[\"'`]){re.escape('/'.join(old))}"
    page = rf"(?<![\w.-]){re.escape(site(*old))}"
    end = r"(?![\w-]|\.(?!git\b)\w)"  # NAME may not go on; a full stop or .git may follow
    return re.sub(
        f"(?:{repository}|{page}){end}",
        lambda m: site(*new) if m["before"] is None else m["before"] + "/".join(new),
        text,
    )


def text_files(root: Path) -> dict[Path, str]:
    """Every text file that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    files = {}
    for path in {root / name for name in names if name}:
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b"\0"
        if b"\0" not in data:  # images, weights, archives
            files[path] = data.decode(errors="surrogateescape")
    return files


def main(url: str) -> None:
    """Rewrite the files; nothing is written unless everything could be read."""
    new = parse(url)
    old = parse(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"])
    changed = {p: new_text for p, text in text_files(ROOT).items() if (new_text := replace(text, old, new)) != text}
    for path, text in sorted(changed.items()):
        path.write_bytes(text.encode(errors="surrogateescape"))
        print(path.relative_to(ROOT))
    print(f"{len(changed)} files now say https://github.com/{'/'.join(new)}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2] or [""])
    except (ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"make repository URL=https://github.com/OWNER/NAME: {error}")
