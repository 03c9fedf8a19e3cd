#!/usr/bin/env python3
"""bylaw and npkt in turn on the same recorded calls.

    cargo bench --no-default-features --bench impact -- make DIR EVENTS
    pip install npkt
    benches/impact/beside.py target/release/bylaw npkt DIR/plain [ROUNDS]

    benches/impact/beside.py target/release/bylaw OTHER/bylaw DIR/plain [ROUNDS]

Both are asked what one policy of two statements would newly deny. bylaw also knows the organization: 200 accounts, those of the
records, in an OU that the policy is attached to. Of two builds of bylaw both have to answer alike, and each goes first in every other
round, so that what else runs on the machine weighs on both.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

ACCOUNTS = 200
# Of the records.
FIRST = 111122223000
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Region",
            "Effect": "Deny",
            "NotAction": ["iam:*", "sts:*", "s3:ListAllMyBuckets"],
            "Resource": "*",
            "Condition": {
                "StringNotEquals": {
                    "aws:RequestedRegion": ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-southeast-2"]
                },
                "ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/service/app-1"]},
            },
        },
        {
            "Sid": "Tagged",
            "Effect": "Deny",
            "Action": "ec2:RunInstances",
            "Resource": "arn:aws:ec2:*:*:instance/*",
            "Condition": {"Null": {"aws:RequestTag/Team": "true"}},
        },
    ],
}


def obj(kind, name, spec):
    return {"apiVersion": "bylaw.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def manifests():
    """The organization without the policy, and the policy. JSON is YAML."""
    work = {"name": "work"}
    objects = [
        obj("Organization", "acme", {"managementAccountId": "111111111111", "policyTypes": ["SERVICE_CONTROL_POLICY"]}),
        obj("OrganizationalUnit", "work", {"name": "WORK"}),
    ]
    for n in range(ACCOUNTS):
        spec = {"accountId": str(FIRST + n), "name": f"a{n:03}", "organizationalUnitRef": work}
        objects.append(obj("Account", f"a{n:03}", spec))
    targets = [{"organizationalUnitRef": work}]
    policy = obj("OrganizationPolicy", "lock", {"type": "SERVICE_CONTROL_POLICY", "targets": targets, "content": POLICY})
    return objects, policy


def written(path, objects):
    with open(path, "w") as file:
        file.write("\n---\n".join(json.dumps(each) for each in objects))


def timed(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, cpu, done


def main():
    bylaw, other, events = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    with tempfile.TemporaryDirectory() as scratch:
        at = lambda name: os.path.join(scratch, name)
        objects, policy = manifests()
        written(at("old.yaml"), objects)
        written(at("new.yaml"), objects + [policy])
        with open(at("policy.json"), "w") as file:
            json.dump(POLICY, file)
        ours = ["impact", "-f", at("new.yaml"), "--against", at("old.yaml"), "--events", events, "-o", "json"]
        if os.path.basename(other).startswith("npkt"):
            theirs = [other, "simulate", at("policy.json"), "--logs", events, "--days", "3650", "--no-details"]
            beside([bylaw, *ours], theirs, rounds)
            return
        both([bylaw, other], ours, rounds)


def both(builds, arguments, rounds):
    """Two builds in turn: the least CPU of each, and that both answer alike."""
    cpus, denied = {build: [] for build in builds}, set()
    for number in range(rounds):
        for build in builds if number % 2 == 0 else builds[::-1]:
            _, cpu, done = timed([build, *arguments])
            denied.add(json.dumps(json.loads(done.stdout)["denied"]))
            cpus[build].append(cpu)
    assert len(denied) == 1, denied
    for build, cpu in cpus.items():
        print(f"{build}: {min(cpu):.2f} s CPU at least, {sorted(cpu)[len(cpu) // 2]:.2f} s in the middle; newly denied {denied}")


def beside(ours, theirs, rounds):
    """bylaw and npkt in turn."""
    for _ in range(rounds):
        wall, cpu, done = timed(ours)
        found = json.loads(done.stdout)
        count = found["events"]
        print(f"bylaw {wall:8.2f} s  {cpu:8.2f} s CPU  {count / wall:11,.0f} events/s  newly denied {found['denied']}")
        their_wall, their_cpu, done = timed(theirs)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        print(f"npkt  {their_wall:8.2f} s  {their_cpu:8.2f} s CPU  {count / their_wall:11,.0f} events/s")
        print(f"bylaw is {their_wall / wall:.0f} times as fast, with {their_cpu / cpu:.0f} times less CPU", flush=True)


main()
