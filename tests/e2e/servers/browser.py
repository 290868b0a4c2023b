#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Opens lbd's dashboard in headless Chromium by chromedriver's own protocol (W3C WebDriver).

browser.py URL SHOT COMMAND…: reads numbers off the page, runs the command, which takes
192.0.2.12:5001 of service web down, and waits for its row to say so. Then looks whether every chart
moves and keeps a picture, once on a desk (SHOT.png) and once on a phone (SHOT-phone.png)."""
import base64
import json
import re
import subprocess
import sys
import time
import urllib.request

PORT = 9515
ROW = 'tr[data-backend="web 192.0.2.12:5001"]'
DESK, PHONE = 1200, 360  # pixels wide
ON = {DESK: "on a desk", PHONE: "on a phone"}

# By the name of its (first) series; each has a path a line.
CHARTS = {"total/up": 2, "total/connections": 1, "total/active": 1, "total/flows": 1,
          "total/received": 1, "total/dropped": 1, "cache/ratio": 1, "service/web/connections": 1,
          "service/web/bytes": 1, "backend/web 192.0.2.12:5001": 1, "reason/no_backend": 1}

# A chart's number where it stands beside it.
NUMBERS = {"total/connections": "#t-connections b", "total/active": "#t-active b",
           "backend/web 192.0.2.11:5000": 'tr[data-backend="web 192.0.2.11:5000"] .rate',
           "reason/no_backend": 'tr[data-reason="no_backend"] .rate'}

# Charts out of view are not drawn.
LOOK = """(name => {
    const svg = document.querySelector(`svg[data-chart="${name}"]`);
    if (!svg)
        return null;
    svg.scrollIntoView({ block: "center" });
    const box = svg.getBoundingClientRect();
    return { left: box.left, right: box.right, height: box.height,
             lines: [...svg.querySelectorAll("path")].map(p => p.getAttribute("d") || ""),
             says: svg.getAttribute("aria-label") };
})"""

# Cells, or what is in them, that reach out of the screen or, if they are all to be seen, have no size.
OUTSIDE = """((selector, width, all) => [...document.querySelectorAll(selector)].flatMap(row =>
    [...row.cells].filter(cell => {
        const inside = document.createRange(), box = cell.getBoundingClientRect();
        inside.selectNodeContents(cell);
        return [box, inside.getBoundingClientRect()].some(r =>
            r.left < 0 || r.right > width || (all && !(r.width && r.height)));
    }).map(cell => `${cell.className}: ${cell.textContent}`)))"""


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

    def call(self, function, *args):
        return self.run(f"{function}({', '.join(json.dumps(arg) for arg in args)})")

    # By the debugger's protocol, since Chromium has no window as narrow as a phone.
    def resize(self, width, height):
        call("POST", self.path + "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1,
                       "mobile": width == PHONE}})

    # All of it.
    def whole(self, width):
        self.resize(width, self.run("document.documentElement.scrollHeight"))
        time.sleep(2)  # for the charts that come into view

    def shot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(call("GET", self.path + "/screenshot")))

    def end(self):
        call("DELETE", self.path)


def say(what, is_so, why):
    print(f"ok {what}" if is_so else f"not ok {what} # {why}")


def heights(line):
    return [y for _, y in re.findall(r"[ML]([0-9.]+),([0-9.]+)", line)]


# Why a chart is not yet as it should be: a line of at least two points each, one of which goes up or down.
def lacks(chart, count):
    if not chart:
        return "is not there"
    lines = [heights(line) for line in chart["lines"]]
    if len(lines) != count or min(map(len, lines)) < 2:
        return f"has lines of {[len(line) for line in lines]} points"
    if max(len(set(line)) for line in lines) < 2:
        return f"does not move: {lines}"
    if not re.search(r" now [0-9]", chart["says"]):
        return f"is called {chart['says']}"
    return None


def charts_move(page, width):
    end = time.monotonic() + 30
    for name, count in CHARTS.items():
        what = f"{ON[width]}: chart {name} moves"
        why = lacks(page.call(LOOK, name), count)
        while why and time.monotonic() < end:
            time.sleep(0.2)
            why = lacks(page.call(LOOK, name), count)
        say(what, not why, why)
        chart = page.call(LOOK, name) or {"left": -1, "right": -1, "height": 0}
        if chart["left"] < 0 or chart["right"] > width or not chart["height"]:
            print(f"not ok {ON[width]}: chart {name} is on the screen # {chart}")


# Read at one moment.
def charts_say_numbers(page):
    for name, selector in NUMBERS.items():
        page.call(LOOK, name)
        time.sleep(1.5)
        says, number = page.run(f"[({LOOK}({json.dumps(name)}) || {{ says: '' }}).says,"
                                f" document.querySelector({json.dumps(selector)}).textContent]")
        say(f"chart {name} says its number", f" now {number}," in says, f"{says}, beside it {number}")


def fits(page, width):
    outside = page.call(OUTSIDE, ROW, width, True)
    say(f"{ON[width]}: all of a backend is on the screen", not outside, outside)
    outside = page.call(OUTSIDE, "tr[data-backend], tr[data-reason]", width, False)
    say(f"{ON[width]}: every row is", not outside, outside)
    wide = page.run("document.documentElement.scrollWidth")
    say(f"{ON[width]}: nothing is wider", wide <= width, f"{wide} px")


def look(page, url, shot, command):
    page.resize(DESK, 900)
    page.go(url)
    wait("the page shows the backends", 20, lambda: "up" in page.text(ROW + " .state"))
    print("ok the page shows the backends")
    rate = wait("a rate moves", 20, lambda: float(page.text(ROW + " .rate").rstrip("k") or 0))
    print(f"ok a rate moves: {rate} connections/s")
    wait("the cache's hit ratio", 20, lambda: re.search(r"[1-9][0-9.]* %", page.text("#t-cache b")))
    print(f"ok the cache's hit ratio: {page.text('#t-cache b')}")
    charts_say_numbers(page)
    foreign = page.run("performance.getEntriesByType('resource')"
                       ".filter(e => !e.name.startsWith(location.origin)).length")
    say("nothing comes from elsewhere", foreign == 0, f"{foreign} resources")
    say("a state has a sign and a word", page.text(ROW + " .state") == "✔ up", page.text(ROW))
    began = time.monotonic()
    subprocess.run(command, check=True)
    wait("a dead backend's row changes", 30, lambda: page.text(ROW + " .state") == "✖ down")
    print(f"ok a dead backend's row changes: after {time.monotonic() - began:.1f} s")
    say("the row says why", "refused" in page.text(ROW), page.text(ROW))
    say("it has no share", page.text(ROW + " .share") == "0.0 %", page.text(ROW + " .share"))
    for width, path in (DESK, f"{shot}.png"), (PHONE, f"{shot}-phone.png"):
        page.resize(width, 780)
        charts_move(page, width)
        fits(page, width)
        page.run("scrollTo(0, 0)")
        time.sleep(10 if width == DESK else 0)  # for the charts of the picture
        page.whole(width)
        page.shot(path)


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
