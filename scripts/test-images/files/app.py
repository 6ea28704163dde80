"""Answers every GET with what it is and what it was asked for."""

import getpass
import http.server
import json
import os
import sqlite3
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = {
            "python": sys.version.split()[0],
            "sqlite": sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0],
            "path": self.path,
            "user": getpass.getuser(),
            "folder": os.getcwd(),
            "greeting": os.environ["GREETING"],
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


print("listening on port 8000")
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
