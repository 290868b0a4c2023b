#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Opens lbd's dashboard in headless Chromium by chromedriver's own protocol (W3C WebDriver).

browser.py URL SHOT COMMAND…: reads numbers off the page, keeps a picture, runs the command, which
takes 192.0.2.12:5001 of service web down, and waits for its row to say so."""
import base64
import json
import re
import subprocess
import sys
import time
import urllib.request

PORT = 9515
ROW = 'tr[data-backend="web 192.0.2.12:5001"]'


def call(method, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{path}", method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["value"]


def wait(what, seconds, ready):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = ready()
            if value:
                return value
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"not ok {what} # not within {seconds} s")


class Page:
    def __init__(self):
        options = {"binary": "/usr/bin/chromium", "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--window-size=1100,900", "--hide-scrollbars"]}
        session = call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options}}})
        self.path = "/session/" + session["sessionId"]

    def go(self, url):
        call("POST", self.path + "/url", {"url": url})

    def run(self, script):
        return call("POST", self.path + "/execute/sync", {"script": "return " + script, "args": []})

    def text(self, selector):
        return self.run(f"(document.querySelector({json.dumps(selector)}) || {{}}).textContent || ''")

    def resize(self, width, height):
        call("POST", self.path + "/window/rect", {"width": width, "height": height})

    def shot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(call("GET", self.path + "/screenshot")))

    def end(self):
        call("DELETE", self.path)


def look(page, url, shot, command):
    page.go(url)
    wait("the page shows the backends", 20, lambda: "up" in page.text(ROW + " .state"))
    print("ok the page shows the backends")
    rate = wait("a rate moves", 20, lambda: float(page.text(ROW + " .rate").rstrip("k") or 0))
    print(f"ok a rate moves: {rate} connections/s")
    wait("charts are drawn", 20, lambda: page.run(
        "[...document.querySelectorAll('svg path')].some(p => p.getAttribute('d').length > 60)"))
    print("ok charts are drawn")
    wait("the cache's hit ratio", 20, lambda: re.search(r"[1-9][0-9.]* %", page.text("#t-cache b")))
    print(f"ok the cache's hit ratio: {page.text('#t-cache b')}")
    foreign = page.run("performance.getEntriesByType('resource')"
                       ".filter(e => !e.name.startsWith(location.origin)).length")
    print("ok nothing comes from elsewhere" if foreign == 0 else
          f"not ok nothing comes from elsewhere # {foreign} resources")
    began = time.monotonic()
    subprocess.run(command, check=True)
    wait("a dead backend's row changes", 30, lambda: "down" in page.text(ROW + " .state"))
    print(f"ok a dead backend's row changes: after {time.monotonic() - began:.1f} s")
    text = page.text(ROW)
    print("ok the row says why" if "refused" in text else f"not ok the row says why # {text}")
    print("ok it has no share" if page.text(ROW + " .share") == "0.0 %" else
          f"not ok it has no share # {page.text(ROW + ' .share')}")
    time.sleep(8)  # for the charts of the picture
    page.shot(shot)
    page.resize(500, 900)  # Chromium has no narrower window
    width = page.run("[document.documentElement.scrollWidth, window.innerWidth]")
    print("ok it fits a narrow screen" if width[0] <= width[1] else
          f"not ok it fits a narrow screen # {width}")


def main():
    url, shot, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    driver = subprocess.Popen(["chromedriver", f"--port={PORT}"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    page = None
    try:
        wait("chromedriver answers", 20, lambda: call("GET", "/status")["ready"])
        page = Page()
        look(page, url, shot, command)
    finally:
        if page:
            page.end()
        driver.terminate()
        driver.wait()


main()
