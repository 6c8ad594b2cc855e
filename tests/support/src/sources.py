"""Stands in for the services that hand out AWS credentials, until standard input ends.

The answers are on the command line, by source. Each source wants to be asked as its protocol has it; what is asked
in another way is answered 403, as are sources without an answer.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

SOURCES = json.loads(sys.argv[1])
IMDS = "/latest/meta-data/iam/security-credentials/"


def credentials(source, expiration="2099-01-01T00:00:00Z"):
    given = SOURCES[source]
    return {
        "Code": "Success",
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretAccessKey"],
        "Token": given["SessionToken"],
        "Expiration": expiration,
    }


def answer(method, path, header):
    path, _, query = path.partition("?")
    if path.startswith("/container/"):
        source = path.removeprefix("/container/")
        if header("Authorization") == f"token of {source}":
            return json.dumps(credentials(source))
    if (method, path) == ("PUT", "/latest/api/token") and header("x-aws-ec2-metadata-token-ttl-seconds"):
        return "token of imds"
    if header("x-aws-ec2-metadata-token") == "token of imds":
        if path == IMDS:
            return "role"
        if path == IMDS + "role":
            return json.dumps(credentials("imds"))
    if path == "/federation/credentials" and header("x-amz-sso_bearer_token") == "token of sso":
        given = SOURCES["sso"]
        return json.dumps(
            {
                "roleCredentials": {
                    "accessKeyId": given["AccessKeyId"],
                    "secretAccessKey": given["SecretAccessKey"],
                    "sessionToken": given["SessionToken"],
                    "expiration": 4070908800000,
                }
            }
        )
    return None


class Handler(BaseHTTPRequestHandler):
    def serve(self):
        body = answer(self.command, self.path, self.headers.get)
        status = 404 if body is None and self.path.startswith("/latest/meta-data/") else 403
        body_bytes = (body or "").encode()
        self.send_response(status if body is None else 200)
        self.send_header("Content-Length", str(len(body_bytes)))
        self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(body_bytes)

    do_GET = do_PUT = serve

    def log_message(self, *_):
        pass


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_standard_input, daemon=True).start()
server = HTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
