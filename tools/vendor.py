"""Copy what the site serves itself out of node_modules into book/_static/vendor."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    "requirejs": ["require.js"],
    "@jupyter-widgets/html-manager/dist": ["embed-amd.js"],
    "anywidget/dist": ["index.js"],
    "onnxruntime-web/dist": [
        "ort.wasm.bundle.min.mjs",
        "ort-wasm-simd-threaded.mjs",
        "ort-wasm-simd-threaded.wasm",
    ],
    "@fontsource-variable/source-serif-4/files": [
        "source-serif-4-latin-wght-normal.woff2",
        "source-serif-4-latin-wght-italic.woff2",
    ],
    "@fontsource-variable/source-sans-3/files": ["source-sans-3-latin-wght-normal.woff2"],
    "@fontsource-variable/source-code-pro/files": ["source-code-pro-latin-wght-normal.woff2"],
    "mathjax/es5": ["tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2"],
}
FOLDERS = {
    "anywidget/dist": "anywidget",
    "onnxruntime-web/dist": "ort",
    "mathjax/es5": "mathjax",
    "@fontsource-variable/source-serif-4/files": "fonts",
    "@fontsource-variable/source-sans-3/files": "fonts",
    "@fontsource-variable/source-code-pro/files": "fonts",
}


def main() -> None:
    """Replace the vendor folder by a fresh copy."""
    vendor = ROOT / "book/_static/vendor"
    shutil.rmtree(vendor, ignore_errors=True)
    for package, names in FILES.items():
        for name in names:
            source, target = ROOT / "node_modules" / package / name, vendor / FOLDERS.get(package, "") / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)


if __name__ == "__main__":
    main()
