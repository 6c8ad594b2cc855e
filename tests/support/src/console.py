"""Asks AWS what it reads on standard input, a JSON object a line; answers each with one line of JSON."""

import json
import sys

import boto3

clients = {}
for line in sys.stdin:
    request = json.loads(line)
    service = request["service"]
    if service not in clients:
        clients[service] = boto3.client(service)
    try:
        answer = getattr(clients[service], request["operation"])(**request["arguments"])
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer, default=str), flush=True)
