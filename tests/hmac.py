"""Makes MACs with the keys of an emulator's state file, and prints the numbers of those that differ."""

import base64
import hmac
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    keys = {key["id"]: base64.b64decode(key["material"]) for key in json.load(file)["keys"]}
with open(sys.argv[2], encoding="utf-8") as file:
    claims = json.load(file)
for number, claim in enumerate(claims):
    message, mac = bytes.fromhex(claim["message"]), bytes.fromhex(claim["mac"])
    whole = hmac.digest(keys[claim["key"]], message, claim["hash"])
    if not mac or whole[: len(mac)] != mac:
        print(number)
