"""Serves a folder over HTTP on 127.0.0.1 with byte ranges, and with the faults that downloads meet.

usage: range_server.py FOLDER LOG     prints its port, then serves until it is terminated

The first part of a request's path says how the rest of it is served:

    good      as it should be
    chunks    1000 bytes of what is asked for, then the connection breaks
    stuck     never anything past the file's first 1000 bytes, then the connection breaks
    whole     ranges are ignored
    wrong     all bytes inverted

Each request is a line in LOG: path, asked range or "-", the client's port (one per connection).
"""

import http.server
import os
import re
import sys

CHUNK = 1000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range", "-")
        with open(self.server.log_file, "a") as log:
            log.write(f"{self.path} {asked} {self.client_address[1]}\n")
        _, mode, path = self.path.split("/", 2)
        path = os.path.join(self.server.folder, path)
        if not os.path.isfile(path) or "//" in self.path:
            return self.send_status(404)
        with open(path, "rb") as file:
            content = file.read()
        if mode == "wrong":
            content = bytes(255 - byte for byte in content)

        begin = 0
        if mode != "whole" and (match := re.fullmatch(r"bytes=(\d+)-", asked)):
            begin = int(match[1])
            if begin >= len(content):
                return self.send_status(416)
        end = {"chunks": begin + CHUNK, "stuck": CHUNK}.get(mode, len(content))
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:end])
        self.close_connection = end < len(content)

    def send_status(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.folder, server.log_file = sys.argv[1:]
print(server.server_port, flush=True)
server.serve_forever()
