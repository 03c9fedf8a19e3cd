#!/usr/bin/env python3
"""Manifests for a synthetic organization, from its neutral description.

    manifests.py --org DIR/org.json --management 123456789012 --out DIR

org.json: {"policyTypes": [..], "ous": [{"key", "name", "parent", "tags"}], "accounts": [{"key", "name", "email",
"parent", "tags"}], "policies": [{"key", "name", "type", "description", "content", "tags"}],
"attachments": [{"policy", "target": {"kind": "root"|"ou"|"account", "key"}}]}
"""
import argparse
import json
import pathlib


def thing(kind, name, spec):
    return {"apiVersion": "bylaw.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def target(of):
    if of["kind"] == "root":
        return {"root": True}
    field = {"ou": "organizationalUnitRef", "account": "accountRef"}[of["kind"]]
    return {field: {"name": of["key"]}}


def manifests(org, management):
    limits = {"maxCreates": 100_000, "maxDeletes": 0, "maxMoves": 100_000, "maxDetaches": 100_000, "maxUpdates": 100_000, "maxTags": 100_000,
              "maxAffected": {"accounts": 100_000, "percent": 100}}
    yield thing("Organization", "bench", {"managementAccountId": management, "policyTypes": org["policyTypes"],
                                          "limits": limits})
    for ou in org["ous"]:
        parent = {"parentRef": {"name": ou["parent"]}} if ou["parent"] else {}
        yield thing("OrganizationalUnit", ou["key"], {"name": ou["name"], **parent, "tags": ou["tags"]})
    for account in org["accounts"]:
        yield thing("Account", account["key"], {"email": account["email"], "name": account["name"],
                                                "organizationalUnitRef": {"name": account["parent"]},
                                                "tags": account["tags"]})
    for policy in org["policies"]:
        targets = [target(a["target"]) for a in org["attachments"] if a["policy"] == policy["key"]]
        yield thing("OrganizationPolicy", policy["key"], {"type": policy["type"], "name": policy["name"],
                                                          "description": policy["description"],
                                                          "content": policy["content"], "targets": targets,
                                                          "tags": policy["tags"]})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--org", type=pathlib.Path, required=True)
    parser.add_argument("--management", default="123456789012")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    objects = list(manifests(json.loads(args.org.read_text()), args.management))
    (args.out / "organization.json").write_text("\n".join(json.dumps(o) for o in objects) + "\n")
    print(f"{args.out}: {len(objects)} objects")


if __name__ == "__main__":
    main()
