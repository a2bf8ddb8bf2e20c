"""What schemathesis is told besides the API's document: ids that exist and CIDs that are some, for half of its cases,
so that it gets past the first check; and what every error must be."""

import json
import os
import zlib

import schemathesis

IDS = os.environ["FUZZ_IDS"].split(",")
CIDS = os.environ["FUZZ_CIDS"].split(",")


def one_of(choices, seed):
    """One of them, or None as often; the same for the same case, so that a run can be repeated."""
    number = zlib.crc32(repr(seed).encode())
    return choices[number % len(choices)] if number & 0x100 else None


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    known = path_parameters and one_of(IDS, path_parameters)
    return {**path_parameters, "requestid": known} if known else path_parameters


@schemathesis.hook
def map_query(context, query):
    if not query or "cid" not in query:
        return query
    known = one_of(CIDS, query)
    return {**query, "cid": [known]} if known else query


@schemathesis.hook
def map_body(context, body):
    known = isinstance(body, dict) and one_of(CIDS, body)
    return {**body, "cid": known} if known else body


@schemathesis.check
def every_error_is_a_failure(context, response, case):
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    error = json.loads(response.content)["error"]
    assert error["reason"] and error["reason"] == error["reason"].upper(), "a reason in capitals"
    assert error.get("details"), "details that say what to do"
    assert response.headers["x-request-id"], "an id to find it by in the log"
