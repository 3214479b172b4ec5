"""Chromium without a window, to look at pages as readers do."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
)
HEIGHT = 900
PHONE = 390


class Browser:
    """One session of the browser for many pages."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(
        self, page: Path, width: int = 1280, scheme: str = "light", anchor: str = "", scripts: bool = True
    ) -> None:
        """Open a page from disk at a width in pixels, light or dark, and wait until its tables can be sorted."""
        from selenium.webdriver.support.ui import WebDriverWait

        size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width <= PHONE}
        scheme_feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme_feature)
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.get("about:blank")
        self.driver.get(page.as_uri() + (f"#{anchor}" if anchor else ""))
        if scripts:
            tables = "return document.querySelectorAll('table.dataTable').length > 0"
            WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda driver: driver.execute_script(tables))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, at most a few seconds: tables are sorted a moment after a click."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 5, poll_frequency=0.02).until(lambda _: condition())

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns."""
        return self.driver.execute_script(script, *arguments)

    def messages(self) -> list[str]:
        """Return what stands in the console, and was not asked for before."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium; without it, tests are skipped, but not in continuous integration, where they fail."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "needs Debian's packages chromium and chromium-driver"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="resi-chromium-", ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        session = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            yield Browser(session)
        finally:
            session.quit()
