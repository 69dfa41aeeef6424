"""Opens a page in a real browser at several widths, and returns what it measures there."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--window-size=1700,1200",
)
# Looks at the page from outside, as its own policy allows no other script in it.
FRAME = """
const widths = [360, 800, 1600], found = {};
for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style.width = `${width}px`;
  frame.style.height = "800px";
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement;
    const box = (node) => node.getBoundingClientRect();
    const head = page.querySelectorAll("table.sortable th button")[3];
    if (head) { head.click(); head.click(); }
    const body = page.querySelector("table.sortable tbody");
    found[width] = {
      overflow: root.scrollWidth - root.clientWidth,
      plots: [...page.querySelectorAll(".forest svg[role=img]")].map((svg) => box(svg).width),
      broken: [...page.images].filter((image) => !image.naturalWidth).length,
      first: body && body.rows[0].cells[3].textContent,
    };
    if (Object.keys(found).length === widths.length)
      document.body.textContent = JSON.stringify(found);
  };
  frame.src = "report.html";
  document.body.append(frame);
}
"""


def look(folder: Path, html: str) -> dict[str, dict[str, object]]:
    """Return for each width what `FRAME` measures; skips the test where there is no browser."""
    (folder / "report.html").write_text(html, encoding="utf-8")
    seen: dict[str, dict[str, object]] = drive(folder, FRAME)
    return seen


def drive(folder: Path, script: str) -> dict[str, Any]:
    """Run a script in a page in a folder, beside the pages that it puts into frames.

    Returns:
        What the script at last writes as JSON into the page's body.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    page = f"<!DOCTYPE html><body><script>{script}</script></body>\n"
    (folder / "frame.html").write_text(page)
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, f"file://{folder}/frame.html"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not re.search(r"Refused|Content Security Policy|Uncaught", done.stderr), done.stderr
    (text,) = re.findall(r"<body>(\{.*\})</body>", done.stdout)
    seen: dict[str, Any] = json.loads(unescape(text))
    return seen
