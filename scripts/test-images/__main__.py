"""Makes OCI image layouts from Debian packages, for the tests: no container engine, no root, no
maintainer script.

usage: python3 scripts/test-images MIRROR DIR [NAME...]

Each image is a layout DIR/NAME with the tag `latest`. Without names, those of the tests are made.
What is there already, and was made by these scripts as they are, stays.
"""

import hashlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from images import ALL, TESTED
from layout import Layout
from workshop import Workshop


def main(mirror, folder, *names):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scripts = digest_of_scripts()
    stamp = {name: folder / f"{name}.{scripts}" for name in names or [image.__name__ for image in TESTED]}
    lacking = [name for name in stamp if not stamp[name].exists()]
    if not lacking:
        return
    print(f"making images from Debian packages: {', '.join(lacking)}", flush=True)
    # Beside the layouts, which get links to the layers.
    with tempfile.TemporaryDirectory(prefix=".work-", dir=folder) as work:
        shop = Workshop(mirror, Path(work))
        for name in lacking:
            began = time.monotonic()
            made = Path(work) / name
            Layout(made).write(ALL[name](shop))
            for old in folder.glob(f"{name}.*"):
                old.unlink()
            shutil.rmtree(folder / name, ignore_errors=True)
            made.rename(folder / name)
            stamp[name].touch()
            print(f"  {time.monotonic() - began:5.1f} s  {name}", flush=True)


def digest_of_scripts():
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
