#!/usr/bin/env python3
"""moto's server with a counter in front, for the tests.

    serve_moto.py [--port 0] [--throttles FILE] [--no-paths]

Prints `{"port": n}` on standard output when it listens, and ends when standard input does, so that it never outlives
the tests that started it, whatever way they end.

    GET /_count/ACCOUNT        {"calls": {"organizations.ListAccounts": n}, "errors": {"op status code": n}} of the calls
                               made with credentials of that account
    GET /_count/ACCOUNT/zero   the same, then zero
    GET /_throttle/ACCOUNT/on, /_throttle/ACCOUNT/off
                               answer that account as AWS's published token buckets would: past the bucket a call of
                               Organizations gets 400 TooManyRequestsException and does not reach moto (off at start)

Accounts carry `Paths` as on AWS, and described OUs `Path` (plain moto leaves both out); --no-paths leaves them out.
FILE: {"throttles": {"ListAccounts": [rate a second, burst, ...]}}.
"""
import argparse
import collections
import functools
import gc
import io
import json
import os
import re
import sys
import threading
import time
import urllib.parse

from moto.core import responses
from moto.iam import models as iam
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.organizations import models
from werkzeug.serving import WSGIRequestHandler, make_server

# For every call moto looks for the key in all accounts, for the service in its own directory, and for the operations that
# a service has: together most of what a call takes. None of it changes: a key is used only after it was made, and stays
# with its account.
iam.get_account_id_from = functools.lru_cache(maxsize=None)(iam.get_account_id_from)
DomainDispatcherApplication.get_backend_for_host = functools.lru_cache(maxsize=None)(
    DomainDispatcherApplication.get_backend_for_host)
responses.method_names_from_class = functools.lru_cache(maxsize=None)(responses.method_names_from_class)

SERVICES = {"AWSOrganizationsV20161128": "organizations"}


def add_paths():
    """Make accounts and OUs describe themselves with their path: o-x/r-x/ou-x/ou-y/[123456789012/]."""
    parents = {}  # (management account, OU id) -> parent id
    created = models.FakeOrganizationalUnit.__init__
    ou_describe, account_describe = models.FakeOrganizationalUnit.describe, models.FakeAccount.describe

    @functools.lru_cache(maxsize=None)  # An OU never moves.
    def ids(management, organization, node):
        if not node or node.startswith("r-"):
            return [organization, *([node] if node else [])]
        return [*ids(management, organization, parents.get((management, node))), node]

    def path(node):
        return "/".join([*ids(node.master_account_id, node.organization_id, node.parent_id), node.id]) + "/"

    def create(self, organization, **kwargs):
        created(self, organization, **kwargs)
        parents[self.master_account_id, self.id] = self.parent_id

    def describe_ou(self):
        answer = ou_describe(self)
        answer["OrganizationalUnit"]["Path"] = path(self)
        return answer

    def describe_account(self):
        # moto describes every account for every page of them.
        now = (self.name, self.status, self.state, self.parent_id)
        if getattr(self, "described", (None,))[0] != now:
            self.described = (now, {**account_describe(self), "Paths": [path(self)]})
        return self.described[1]

    models.FakeOrganizationalUnit.__init__ = create
    models.FakeOrganizationalUnit.describe = describe_ou
    models.FakeAccount.describe = describe_account


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_args):
        pass


class Counting:
    def __init__(self, app, throttles):
        self.app, self.lock, self.throttles = app, threading.Lock(), throttles
        self.calls, self.errors = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
        self.throttled, self.buckets = set(), {}

    def refused(self, account, name):
        rate = self.throttles.get(name.partition(".")[2]) if account in self.throttled else None
        if not rate or not name.startswith("organizations."):
            return False
        now = time.monotonic()
        tokens, at = self.buckets.get((account, name), (rate[1], now))
        tokens = min(rate[1], tokens + (now - at) * rate[0])
        self.buckets[account, name] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens < 1

    def name(self, environ):
        target = environ.get("HTTP_X_AMZ_TARGET")
        if target:
            service, _, operation = target.partition(".")
            return f"{SERVICES.get(service, service)}.{operation}"
        scope = re.search(r"Credential=[^/]*/[^/]*/[^/]*/([^/]*)/", environ.get("HTTP_AUTHORIZATION", ""))
        service = scope.group(1) if scope else "unsigned"
        if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            action = urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action")
            if action:
                return f"{service}.{action[0]}"
        # The Account API spells its operations as paths: /getAlternateContact.
        operation = environ["PATH_INFO"].strip("/")
        return f"{service}.{operation[:1].upper()}{operation[1:]}"

    def account(self, environ):
        named = environ.get("HTTP_X_MOTO_ACCOUNT_ID")
        key = re.search(r"Credential=([^/]*)/", environ.get("HTTP_AUTHORIZATION", ""))
        return named or iam.get_account_id_from(key.group(1) if key else "")

    def ours(self, path, start_response):
        kind, account, *rest = path.strip("/").split("/")
        with self.lock:
            body = {"calls": dict(self.calls[account]), "errors": dict(self.errors[account])}
            if rest == ["zero"]:
                self.calls.pop(account), self.errors.pop(account)
            if kind == "_throttle":
                self.throttled.discard(account)
                self.buckets = {k: v for k, v in self.buckets.items() if k[0] != account}
                if rest == ["on"]:
                    self.throttled.add(account)
        text = json.dumps(body).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path.startswith(("/_count/", "/_throttle/")):
            return self.ours(path, start_response)
        if path.startswith("/moto-api"):
            return self.app(environ, start_response)
        name, account, status = self.name(environ), self.account(environ), []
        with self.lock:
            if self.refused(account, name):
                self.calls[account][name] += 1
                self.errors[account][f"{name} 400 TooManyRequestsException"] += 1
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                text = json.dumps({"__type": "TooManyRequestsException", "Type": "RATE_EXCEEDED",
                                   "Message": "Rate exceeded"}).encode()
                start_response("400 Bad Request", [
                    ("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", "TooManyRequestsException"),
                    ("x-amzn-requestid", "throttled"), ("Content-Length", str(len(text)))])
                return [text]

        def record(code, headers, exc_info=None):
            status.append((code, dict(headers).get("x-amzn-errortype", "")))
            return start_response(code, headers, exc_info)

        try:
            return self.app(environ, record)
        finally:
            code = status[0][0].split()[0] if status else "500"
            with self.lock:
                self.calls[account][name] += 1
                if not code.startswith(("2", "3")):
                    self.errors[account][f"{name} {code} {status[0][1] if status else ''}".strip()] += 1


def end_with_input():
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--throttles", type=argparse.FileType())
    parser.add_argument("--no-paths", action="store_true")
    args = parser.parse_args()
    if not args.no_paths:
        add_paths()
    throttles = json.load(args.throttles)["throttles"] if args.throttles else {}
    app = Counting(DomainDispatcherApplication(create_backend_app), throttles)
    # Without this, Python walks through all of moto's modules again and again while it answers.
    gc.freeze()
    server = make_server("127.0.0.1", args.port, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=end_with_input, daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
