"""Sends requests by boto3, one after the other, without its own checks of what is sent.

Reads a list of `{"operation", "input"}` from the file that is named first, and writes a list of what came of each to standard output:

- `code` and `status`: the error as boto3 raises it; without an error `OK` and 200; where boto3 cannot send it at all, its own error and 0
- `isAsGiven`: whether what was sent is the input, since boto3 turns some values of a wrong type into others
- `raw`: the body of the answer
- `parsed`: paths of the members that boto3 hands over
- `flaws`: where the body is not of botocore's output shape
"""

import json
import sys
import urllib.parse

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

KINDS = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "timestamp": (int, float),
    "blob": str,
    "float": (int, float),
    "double": (int, float),
    "structure": dict,
    "map": dict,
    "list": list,
}


def flaws(shape, value, place="answer"):
    kind = shape.type_name
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{place}: {value!r} is no {kind}"]
    if kind == "list":
        return [flaw for item in value for flaw in flaws(shape.member, item, f"{place}[]")]
    if kind == "map":
        return [flaw for item in value.values() for flaw in flaws(shape.value, item, f"{place}.*")]
    if kind != "structure":
        return []
    missing = [f"{place}.{name}: required" for name in shape.required_members if name not in value]
    unknown = [f"{place}.{name}: unknown" for name in value if name not in shape.members]
    known = [flaw for name in value if name in shape.members for flaw in flaws(shape.members[name], value[name], f"{place}.{name}")]
    return missing + unknown + known


def paths(value, place=""):
    if isinstance(value, list):
        return [path for item in value for path in paths(item, f"{place}[]")]
    if isinstance(value, dict):
        return [path for name, item in value.items() for path in [f"{place}.{name}", *paths(item, f"{place}.{name}")]]
    return []


class Sender:
    def __init__(self):
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        self.clients = [boto3.client(service, config=config) for service in ("cloudtrail", "cloudtrail-data")]
        for client in self.clients:
            client.meta.events.register("before-send", self.note_request)
            client.meta.events.register("after-call", self.note_answer)

    def note_request(self, request, **_):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query))
        self.sent = {**json.loads(request.body), **query}

    def note_answer(self, http_response, **_):
        self.raw = http_response.content.decode()

    def send(self, operation, given):
        client = next(client for client in self.clients if operation in client.meta.method_to_api_mapping.values())
        self.sent, self.raw = None, None
        outcome = {"operation": operation, "code": "OK", "status": 200, "flaws": [], "parsed": []}
        try:
            answer = client._make_api_call(operation, given)
            answer.pop("ResponseMetadata")
            shape = client.meta.service_model.operation_model(operation).output_shape
            outcome.update(flaws=flaws(shape, json.loads(self.raw)), parsed=sorted(set(paths(answer))))
        except ClientError as error:
            outcome.update(code=error.response["Error"]["Code"], status=error.response["ResponseMetadata"]["HTTPStatusCode"])
        # What boto3 makes of a value of a wrong type, before anything is sent, is its own affair.
        except Exception as error:
            if self.sent is not None:
                raise
            outcome.update(code=type(error).__name__, status=0)
        # As texts, since Python takes `True` for 1.
        is_as_given = json.dumps(self.sent, sort_keys=True) == json.dumps(given, sort_keys=True)
        return {**outcome, "isAsGiven": is_as_given, "raw": self.raw}


with open(sys.argv[1], encoding="utf-8") as requests:
    sender = Sender()
    json.dump([sender.send(request["operation"], request["input"]) for request in json.load(requests)], sys.stdout)
