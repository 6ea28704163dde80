"""OCI image layouts, as the image specification 1.1 has them."""

import hashlib
import json
import os

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
CREATED = "2026-01-01T00:00:00Z"


class Image:
    """Layers and a configuration, for one platform."""

    def __init__(self, layers, architecture="amd64", **config):
        self.layers, self.architecture, self.config = layers, architecture, config

    def write(self, layout):
        """Writes what it consists of and returns the descriptor of its manifest."""
        for layer in self.layers:
            layout.link(layer)
        config = {
            "created": CREATED,
            "architecture": self.architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in self.layers]},
            "history": [{"created": CREATED, "created_by": "scripts/test-images"} for _ in self.layers],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": layout.json(config, CONFIG),
            "layers": [layer.descriptor for layer in self.layers],
        }
        return layout.json(manifest, MANIFEST)


class Platforms:
    """One image for several platforms."""

    def __init__(self, images):
        self.images = images

    def write(self, layout):
        """Writes what it consists of and returns the descriptor of its index."""
        manifests = []
        for image in self.images:
            platform = {"architecture": image.architecture, "os": "linux"}
            manifests.append({**image.write(layout), "platform": platform})
        return layout.json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX)


class Layout:
    """A layout in a folder that is not there yet."""

    def __init__(self, folder):
        self.folder = folder
        self.blobs = folder / "blobs/sha256"
        self.blobs.mkdir(parents=True)

    def write(self, image):
        """Makes `image` the layout's only one, under the tag `latest`."""
        tagged = {**image.write(self), "annotations": {"org.opencontainers.image.ref.name": "latest"}}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [tagged]}
        (self.folder / "index.json").write_text(json.dumps(index))
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def link(self, layer):
        """Layouts share the layers that they have in common."""
        path = self.blobs / layer.digest
        if not path.exists():
            os.link(layer.path, path)

    def json(self, value, media_type):
        """Writes `value` and returns its descriptor."""
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
