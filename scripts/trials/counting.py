"""A reverse proxy before a Python package index that counts what is asked of it, and that can be cut off.

Pages lie under `/simple/`. Whatever they link to is brought under `/+files/<n>/`, n being the place of its host in a
table that is learnt from the pages, so that the files, too, are asked of this proxy and of nothing else.
"""

import base64
import collections
import html
import http.server
import json
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request

CHUNK = 64 * 1024
ASKED = ("Accept", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "User-Agent")
ANSWERED = (
    "Content-Type", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified", "Cache-Control", "Age", "Vary",
)
LINK = re.compile(r"""(href\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE)

# What was asked (`index`, `file`, `metadata`, or `head` for the head alone of a file), where, and what came of it.
Request = collections.namedtuple("Request", "kind path status")


class Counting(http.server.ThreadingHTTPServer):
    """The proxy. `base` is its address; `log` has every request, in order."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, index):
        super().__init__(("127.0.0.1", 0), Handler)
        parts = urllib.parse.urlsplit(index)
        self.authorization = basic(parts)
        host = parts.netloc.rpartition("@")[2]
        self.index = urllib.parse.urlunsplit((parts.scheme, host, parts.path.rstrip("/") + "/", "", ""))
        self.base = "http://127.0.0.1:%d" % self.server_address[1]
        self.log = []
        self._origins = []
        self._open = set()
        self._guard = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def cut_off(self):
        """Closes the listener and every connection: who asks from now on is refused."""
        self.shutdown()
        self.server_close()
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def get_request(self):
        connection, address = super().get_request()
        with self._guard:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request):
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that leaves is none of our business: only what was asked counts."""

    def note(self, request):
        with self._guard:
            self.log.append(request)

    def brought_here(self, page, link):
        """The address here of what a page links to; other schemes stay as they are."""
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(page, link))
        if parts.scheme not in ("http", "https"):
            return link
        origin = (parts.scheme, parts.netloc)
        with self._guard:
            if origin not in self._origins:
                self._origins.append(origin)
            place = self._origins.index(origin)
        return urllib.parse.urlunsplit(("", "", "/+files/%d%s" % (place, parts.path), parts.query, parts.fragment))

    def upstream_of(self, path):
        """What a path here stands for, and of which kind it is; `None` for other paths."""
        if path.startswith("/simple/"):
            return self.index + path[len("/simple/"):], "index"
        found = re.match(r"/\+files/(\d+)(/.*)", path)
        if not found or int(found[1]) >= len(self._origins):
            return None
        scheme, netloc = self._origins[int(found[1])]
        kind = "metadata" if path.partition("?")[0].endswith(".metadata") else "file"
        return "%s://%s%s" % (scheme, netloc, found[2]), kind


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Counting

    def do_GET(self):
        target = self.server.upstream_of(self.path)
        if target is None:
            self.server.note(Request("other", self.path, 404))
            return self.send_error(404)
        url, kind = target
        headers = {name: self.headers[name] for name in ASKED if name in self.headers}
        if self.server.authorization and kind == "index":
            headers["Authorization"] = self.server.authorization
        name = "head" if kind == "file" and self.command == "HEAD" else kind
        request = urllib.request.Request(url, headers=headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        except OSError as error:
            self.server.note(Request(name, self.path, 502))
            return self.send_error(502, explain=str(error))
        with answer:
            self.server.note(Request(name, self.path, answer.status))
            self.pass_on(answer, kind)

    do_HEAD = do_GET

    def pass_on(self, answer, kind):
        page = None
        if kind == "index" and answer.status == 200 and self.command == "GET":
            page = self.rewritten(answer)
        length = answer.headers["Content-Length"] if page is None else str(len(page))
        bodiless = self.command == "HEAD" or answer.status in (204, 304)
        self.send_response(answer.status)
        for name in ANSWERED:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        if length is not None and answer.status != 304:
            self.send_header("Content-Length", length)
        elif not bodiless:
            self.send_header("Connection", "close")
        self.end_headers()
        if page is not None:
            self.wfile.write(page)
        elif not bodiless:
            while chunk := answer.read(CHUNK):
                self.wfile.write(chunk)

    def rewritten(self, answer):
        text = answer.read().decode()
        if "json" not in answer.headers["Content-Type"]:
            def link(found):
                here = self.server.brought_here(answer.url, html.unescape(found[3]))
                return "%s%s%s%s" % (found[1], found[2], html.escape(here), found[2])
            return LINK.sub(link, text).encode()
        page = json.loads(text)
        for file in page.get("files", ()):
            for member in ("url", "provenance"):
                if file.get(member):
                    file[member] = self.server.brought_here(answer.url, file[member])
        return json.dumps(page).encode()

    def log_message(self, format, *args):
        """Says nothing: the log is `Counting.log`."""


def basic(parts):
    """The header for the credentials that stand in a URL."""
    if parts.username is None:
        return None
    pair = ":".join(urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
    return "Basic " + base64.b64encode(pair.encode()).decode()
